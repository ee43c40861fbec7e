#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "registry/security/grants/access_directory.h"

namespace outport {

// The other end of a connection that requests arrive on: a client, or a node that relays the
// requests of its clients. Admission asks it what the connection allows. Nothing here blocks.
class Peer {
 public:
  virtual ~Peer() = default;

  // Authorises the connection, independently of senders. Returns the permissions that bound the
  // rights of every sender (null: no bounds), or why the connection may not be used.
  virtual Result<std::shared_ptr<const NodePermissions>> Check() const = 0;
  // The name in the client's certificate, which User::only_from is about; empty: there is none.
  virtual std::string_view certificate() const = 0;
  // Whether this program verified that certificate. If not, a node asserts its name: the name adds
  // no rights, and every sender must be a user.
  virtual bool certificate_is_verified() const = 0;
  // The key by which wrong passwords are counted: an address, or the relaying node.
  virtual const std::string& origin() const = 0;
};

// A client that is connected over TLS. For one thread at a time.
class ClientPeer final : public Peer {
 public:
  // `address`: of the client, without a port. The directory and the clock outlive the peer.
  ClientPeer(const AccessDirectory& directory, const Clock& clock, std::string address)
      : directory_(directory), clock_(clock), address_(std::move(address)) {}

  // Sets what the client's certificate says, or why that certificate is rejected. Called after the
  // handshake, and again when this program trusts other authorities.
  void Identify(Result<CertificateIdentity> identity) { identity_ = std::move(identity); }
  const Result<CertificateIdentity>& identity() const { return identity_; }

  // kCertificateInvalid: the certificate was rejected, has expired or was revoked.
  Result<std::shared_ptr<const NodePermissions>> Check() const override;
  std::string_view certificate() const override {
    return identity_.has_value() ? std::string_view(identity_->name) : std::string_view();
  }
  bool certificate_is_verified() const override { return true; }
  const std::string& origin() const override { return address_; }

 private:
  const AccessDirectory& directory_;
  const Clock& clock_;
  const std::string address_;
  Result<CertificateIdentity> identity_ =
      Error{ErrorCode::kCertificateInvalid, "No required SSL certificate was sent"};
};

}  // namespace outport
