#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "registry/base/address.h"
#include "registry/base/clock.h"
#include "registry/base/holder.h"
#include "registry/base/result.h"
#include "registry/security/grants/access_directory.h"

namespace outport {

// The other end of a connection on which requests arrive. It is a client, or a node that relays the
// requests of its clients. Admission asks the peer what the connection allows. Nothing here blocks.
class Peer {
 public:
  virtual ~Peer() = default;

  // Authorises the connection itself, independently of any sender. Returns the permissions that
  // limit the rights of every sender, or null if nothing limits them. Returns an error if the
  // connection may not be used.
  virtual Result<std::shared_ptr<const NodePermissions>> Check() const = 0;
  // The name in the client's certificate; empty if there is no certificate. User::only_from
  // restricts logins by this name.
  virtual std::string_view certificate_name() const = 0;
  // Whether this program verified the client's certificate. If not, a node only asserts the
  // certificate's name. The name then adds no rights, and every sender must be a user.
  virtual bool certificate_is_verified() const = 0;
  // Returns the source of the requests: the client's network, or the relaying node. The
  // authenticator counts wrong passwords by origin. A sender that has no other name is this holder.
  virtual const Holder& origin() const = 0;
};

// A client that is connected over TLS. For one thread at a time.
class ClientPeer final : public Peer {
 public:
  // `address` is the client's address, without a port. The directory and the clock outlive the
  // peer.
  ClientPeer(const AccessDirectory& directory, const Clock& clock, const std::string& address)
      : directory_(directory),
        clock_(clock),
        origin_{.kind = HolderKind::kNetwork, .name = NetworkOf(address)} {}

  // Sets the identity in the client's certificate, or the reason why the certificate is rejected.
  // The session calls this after the handshake, and again when the trust bundle changes.
  void Identify(Result<CertificateIdentity> identity) { identity_ = std::move(identity); }
  const Result<CertificateIdentity>& identity() const { return identity_; }

  // Returns kCertificateInvalid if the certificate was rejected, has expired or was revoked.
  Result<std::shared_ptr<const NodePermissions>> Check() const override;
  std::string_view certificate_name() const override {
    return identity_.has_value() ? std::string_view(identity_->name) : std::string_view();
  }
  bool certificate_is_verified() const override { return true; }
  const Holder& origin() const override { return origin_; }

 private:
  const AccessDirectory& directory_;
  const Clock& clock_;
  const Holder origin_;
  Result<CertificateIdentity> identity_ =
      Error{ErrorCode::kCertificateInvalid, "No required SSL certificate was sent"};
};

}  // namespace outport
