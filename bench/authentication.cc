// The cost of admission for a request whose credentials are in the authenticator's cache:
// certificate, password, user, grant, and the node's permissions. In a small fleet, and in one of
// 10,000 users, 10,000 grants and 1,000 revoked certificates.

#include <benchmark/benchmark.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "registry/access/admission.h"
#include "registry/base/base64.h"
#include "registry/http/api/route.h"
#include "registry/security/password/password.h"

namespace outport {
namespace {

constexpr int kGrantsOfOne = 100;  // the most that a user may have

struct Fleet {
  // A quarter of the grants are users' own, the rest those of groups and certificates.
  Fleet(int users, int revoked) {
    AccessDirectory::Contents contents;
    const std::string hash = *HashPassword("secret", 4);
    for (int i = 0; i < users; ++i) {
      User user{.name = "user" + std::to_string(i), .password_hash = hash};
      user.groups = {"group" + std::to_string(i)};
      if (i % 4 == 0) user.grants = {GrantOf(i)};
      if (i % 4 == 1)
        contents.grants[{SubjectKind::kCertificate, "c" + std::to_string(i)}] = {GrantOf(i)};
      if (i % 4 >= 2)
        contents.grants[{SubjectKind::kGroup, "group" + std::to_string(i)}] = {GrantOf(i)};
      contents.users.push_back(std::move(user));
    }
    User wide{.name = "wide", .password_hash = hash};
    for (int i = 0; i < kGrantsOfOne; ++i) wide.grants.push_back(GrantOf(i));
    contents.users.push_back(std::move(wide));
    for (int i = 0; i < revoked; ++i) {
      contents.revoked.insert({std::string(40, 'a'), "serial" + std::to_string(i)});
    }
    directory.ReplaceAll(std::move(contents));
  }
  static Grant GrantOf(int number) {
    return *ParseGrant("pull:team" + std::to_string(number) + "/**");
  }

  // To as many patterns as there may be; the last of them is asked for.
  void LimitNode() {
    std::vector<Grant> grants;
    for (int i = kGrantsOfOne - 1; i >= 0; --i) grants.push_back(GrantOf(i));
    directory.SetNodePermissions(NodePermissions("this node", std::move(grants)));
  }

  net::io_context context;
  AccessDirectory directory;
  SystemClock clock;
  Metrics metrics;
  BlockingPool pool{"bcrypt", 1, 10};
  Authenticator authenticator{directory, pool, clock, metrics, {}};
  const Gate gate{.directory = directory, .authenticator = authenticator, .clock = clock};
};

// All checks of a request before its handler, in the order of http::Session.
net::awaitable<void> Pass(Fleet& fleet, const http::RequestHead& head, const http::Route& route,
                          bool& passed) {
  CertificateIdentity certificate;
  certificate.name = "laptop";
  certificate.serial = "77";
  certificate.issuer_key_id = std::string(40, 'a');
  certificate.not_after = std::chrono::system_clock::time_point::max();
  ClientPeer peer(fleet.directory, fleet.clock, "192.0.2.1");
  peer.Identify(std::move(certificate));
  auto sender =
      co_await Authenticate(fleet.gate, peer, ParseAuthorization(head.authorization.text()));
  if (!sender.has_value()) co_return;
  const Action action = http::RequiredAction(route.noun, head.method);
  passed = Admit(*std::move(sender), RepositoryAccess{*route.repository, action}).has_value();
}

void Requests(benchmark::State& state, const std::string& user, int grant, bool limited = false) {
  Fleet fleet(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  http::RequestHead head;
  head.method = http::Method::kGet;
  head.authorization = Secret("Basic " + EncodeBase64(user + ":secret", Base64::kStandard));
  const http::Route route =
      *http::ParseRoute("/v2/team" + std::to_string(grant) + "/app/manifests/latest");
  const auto check = [](const std::exception_ptr& thrown) {
    if (thrown != nullptr) std::abort();
  };
  const auto pass = [&] {
    bool passed = false;
    net::co_spawn(fleet.context, Pass(fleet, head, route, passed), check);
    fleet.context.restart();
    fleet.context.run();
    if (!passed) std::abort();
  };
  if (limited) fleet.LimitNode();
  pass();  // verified
  for (auto _ : state) pass();
}

void OwnGrant(benchmark::State& state) { Requests(state, "user4", 4); }
void GroupsGrant(benchmark::State& state) { Requests(state, "user6", 6); }
void LastOf100Grants(benchmark::State& state) { Requests(state, "wide", kGrantsOfOne - 1); }
void AtALimitedNode(benchmark::State& state) { Requests(state, "user0", 0, true); }

void Sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"users", "revoked"})->Args({10, 0})->Args({10'000, 1'000});
  bench->Unit(benchmark::kMicrosecond);
}
BENCHMARK(OwnGrant)->Apply(Sizes);
BENCHMARK(GroupsGrant)->Apply(Sizes);
BENCHMARK(LastOf100Grants)->Apply(Sizes);
BENCHMARK(AtALimitedNode)->Apply(Sizes);

}  // namespace
}  // namespace outport

BENCHMARK_MAIN();
