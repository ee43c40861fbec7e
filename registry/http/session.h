#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "registry/http/access.h"
#include "registry/http/api/byte_budget.h"
#include "registry/http/api/route.h"
#include "registry/http/connection/connection.h"
#include "registry/http/connection/lifeline.h"
#include "registry/http/connection/response.h"
#include "registry/http/request_metrics.h"
#include "registry/service/registry.h"

namespace outport::http {

// One client's connection to the registry: handshake, then request after request. Lives on the
// connection's strand, inside the coroutine that runs it.
class Session {
 public:
  // What all sessions of a server share; it outlives them.
  struct Shared {
    const HttpLimits& limits;
    Registry& registry;
    Gate gate;
    const std::atomic<std::shared_ptr<ServerTlsContext>>& tls;  // as new connections get it
    // Why nobody may come in now, if that is so.
    const std::function<Result<void>()>& standing;
    RequestMetrics& metrics;
    ByteBudget& manifest_bytes;
    const Log& log;
  };
  Session(const Shared& shared, Stream& stream, Lifeline& lifeline);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Until the client leaves, is refused, or the server stops.
  net::awaitable<void> Run();

 private:
  struct Exchange;

  net::awaitable<Result<void>> Handshake();
  net::awaitable<Result<std::optional<RequestHead>>> NextHead();
  // True when the connection may carry another request.
  net::awaitable<bool> Serve(const RequestHead& head);
  // The answer to what was no request.
  net::awaitable<void> Refuse(const Error& error);
  net::awaitable<Result<void>> Answer(Exchange& exchange);
  // Who the client's certificate says it is, by what is trusted now.
  void Identify();
  Result<void> CheckCertificate() const;
  // Whether whoever is connected may stay, and go on with what it does.
  Result<void> CheckAgain() const;
  // Cuts the connection if not.
  void Recheck();
  net::awaitable<Result<void>> AnswerCaught(Exchange& exchange);
  net::awaitable<bool> Conclude(Exchange& exchange, Result<void> outcome);
  void Record(const Exchange& exchange, const std::optional<Error>& error);

  const Shared& shared_;
  Stream& stream_;
  Lifeline& lifeline_;
  Connection connection_;
  const std::string address_;
  std::shared_ptr<ServerTlsContext> judge_;  // of identity_; shared with the server
  // From the handshake on: who the client's certificate says it is, or why that does not count.
  Result<CertificateIdentity> identity_;
  std::optional<Sender> sender_;       // of the last request that was let in
  const Exchange* current_ = nullptr;  // under way
  bool recalled_ = false;              // cut, since access was taken away
  uint64_t received_before_ = 0;       // bytes of the stream that earlier requests account for
  uint64_t sent_before_ = 0;
};

}  // namespace outport::http
