#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "registry/access/admission.h"
#include "registry/http/api/byte_budget.h"
#include "registry/http/api/route.h"
#include "registry/http/connection/connection.h"
#include "registry/http/connection/connection_slot.h"
#include "registry/http/connection/response.h"
#include "registry/http/request_metrics.h"
#include "registry/service/registry.h"

namespace outport::http {

// Serves one client's connection to the registry: a TLS handshake, then one request after another.
// Runs on the connection's strand.
class Session {
 public:
  // The parts that all sessions of a server share. They outlive the sessions.
  struct Shared {
    const HttpLimits& limits;
    Registry& registry;
    const Gate gate;
    const std::atomic<std::shared_ptr<ServerTlsContext>>& tls;  // used for new connections
    RequestMetrics& metrics;
    ByteBudget& manifest_bytes;
    const Log& log;
  };
  Session(const Shared& shared, Stream& stream, ConnectionSlot& slot);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Serves the connection until the client closes it, access is revoked, or the server stops.
  net::awaitable<void> Run();

 private:
  struct Exchange;

  net::awaitable<Result<void>> Handshake();
  net::awaitable<Result<std::optional<RequestHead>>> NextHead();
  // Answers one request. Returns true if the connection may carry another request.
  net::awaitable<bool> Serve(const RequestHead& head);
  // Answers with `error` when the received bytes are not a valid request.
  net::awaitable<void> Reject(const Error& error);
  net::awaitable<Result<void>> Answer(Exchange& exchange);
  // Reads the identity in the client's certificate, and verifies it with the current trust bundle.
  void Identify();
  // Re-authorises the request in progress. Between requests, re-authorises the last sender.
  Result<void> CheckAccess() const;
  // Cuts the connection if access was revoked.
  void Recheck();
  net::awaitable<Result<void>> AnswerCaught(Exchange& exchange);
  // Sends the error if `outcome` is one, and records the request. Returns true if the connection
  // stays open.
  net::awaitable<bool> Conclude(Exchange& exchange, Result<void> outcome);
  void Record(const Exchange& exchange, const std::optional<Error>& error);

  const Shared& shared_;
  Stream& stream_;
  ConnectionSlot& slot_;
  Connection connection_;
  const std::string address_;
  // The context that verified the client's certificate; shared with the server.
  std::shared_ptr<ServerTlsContext> tls_;
  ClientPeer peer_;
  std::optional<Sender> sender_;       // the last authenticated sender
  const Exchange* current_ = nullptr;  // the request in progress; null between requests
  bool revoked_ = false;               // the connection was cut after a revocation
  uint64_t received_before_ = 0;       // bytes that the metrics already include
  uint64_t sent_before_ = 0;
};

}  // namespace outport::http
