#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/access/admission.h"
#include "registry/base/base64.h"
#include "registry/security/password/password.h"
#include "tests/support/manual_clock.h"
#include "tests/support/test_latch.h"

namespace outport {

// A node that relays for a client whose certificate it names.
class FakeNode final : public Peer {
 public:
  Result<std::shared_ptr<const NodePermissions>> Check() const override { return permissions; }
  std::string_view certificate_name() const override { return "laptop"; }
  bool certificate_is_verified() const override { return false; }
  const Holder& origin() const override { return origin_; }

  Result<std::shared_ptr<const NodePermissions>> permissions = nullptr;

 private:
  const Holder origin_{.kind = HolderKind::kNode, .name = "eu-west"};
};

// The parts that admit requests (directory, authenticator, clock), without a server. Users: ann
// pulls and pushes in team/**, carol has no grants. A client shows the certificate 'laptop'.
class Fleet {
 public:
  Fleet() {
    directory.Set({"ann", *HashPassword("secret", 4), {*ParseGrant("pull,push:team/**")}});
    directory.Set({"carol", *HashPassword("secret", 4), {}});
    laptop.name = "laptop";
    laptop.serial = "77";
    laptop.issuer_key_id = "aa";
    laptop.not_after = clock.Wall() + std::chrono::hours(1);
    client.Identify(laptop);
  }

  // Changes a user as an administrator would.
  void Change(const char* name, void (*change)(User&)) {
    User user = *directory.Find(name);
    change(user);
    directory.Set(std::move(user));
  }
  void Revoke() { directory.Revoke({laptop.issuer_key_id, laptop.serial}); }
  void Grant(SubjectKind kind, const std::string& name, const char* grant) {
    directory.SetGrants({kind, name}, {*ParseGrant(grant)});
  }

  // `login`: "user:password"; empty: no credentials.
  Result<Sender> Authenticate(const Peer& peer, std::string_view login) {
    return AuthenticateField(peer, login.empty() ? "" : Basic(login));
  }
  Result<Sender> AuthenticateField(const Peer& peer, const std::string& field) {
    Start(peer, field);
    context_.run();
    return *std::move(sender_);
  }
  // Makes a change while the password is verified.
  template <class Change>
  Result<Sender> AuthenticateDuring(const Peer& peer, std::string_view login, Change change) {
    TestLatch changed;
    EXPECT_TRUE(passwords_.Post([&] { changed.Wait(); }));  // the pool has one thread
    Start(peer, Basic(login));
    context_.poll();
    EXPECT_FALSE(sender_.has_value()) << "the verification should be in progress";
    change();
    changed.CountDown();
    context_.run();
    return *std::move(sender_);
  }

  AccessDirectory directory;
  store::ManualClock clock;
  CertificateIdentity laptop;
  ClientPeer client{directory, clock, "192.0.2.1"};
  FakeNode node;
  Result<void> revocations_known;

 private:
  static std::string Basic(std::string_view login) {
    return "Basic " + EncodeBase64(login, Base64::kStandard);
  }
  void Start(const Peer& peer, const std::string& field) {
    sender_.reset();
    auto run = [this, &peer, field]() -> net::awaitable<void> {
      sender_ = co_await outport::Authenticate(gate_, peer, ParseAuthorization(field));
    };
    net::co_spawn(context_, run, [](const std::exception_ptr& e) { EXPECT_EQ(e, nullptr); });
    context_.restart();
  }

  net::io_context context_;
  Metrics metrics_;
  BlockingPool passwords_{"bcrypt", 1, 10};
  Authenticator authenticator_{directory, passwords_, clock, metrics_, {}};
  const Gate gate_{.directory = directory,
                   .authenticator = authenticator_,
                   .clock = clock,
                   .revocations_known = [this] { return revocations_known; }};
  std::optional<Result<Sender>> sender_;
};

inline RepositoryAccess Access(const char* repository, Action action) {
  return {*RepositoryName::Parse(repository), action};
}

}  // namespace outport
