#include "node/node_parts.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "node/revocation_age.h"
#include "registry/security/pki/pki.h"

namespace outport::node {
namespace {

constexpr size_t kBlobConnections = 4;

// Returns the identity with which the node dials the store of its fleet `domain`. Each new
// connection reads its files again.
std::shared_ptr<grpc::ChannelCredentials> IdentityCredentials(const std::filesystem::path& pki,
                                                              const std::string& domain) {
  return rpc::ReloadingChannelCredentials({.certificate_chain = pki / "identity.crt",
                                           .private_key = pki / "identity.key",
                                           .authorities = pki / "authorities.crt"},
                                          domain);
}

std::vector<std::shared_ptr<StoreChannel>> OpenChannels(const Config& config,
                                                        const std::string& domain) {
  const auto credentials = IdentityCredentials(config.PkiFolder(), domain);
  std::vector<std::shared_ptr<StoreChannel>> channels;
  channels.reserve(1 + kBlobConnections);
  for (size_t i = 0; i < 1 + kBlobConnections; ++i) {
    channels.push_back(std::make_shared<StoreChannel>(rpc::Dial(config.store, credentials, true)));
  }
  return channels;
}

}  // namespace

CertificateFiles FilesShown(const Config& config) {
  return config.registry.Files(config.PkiFolder(), "authorities.crt");
}

NodeParts::NodeParts(const Config& c, const Log& l, std::unique_ptr<PosixFileSystem> f,
                     OpenedNode o, std::unique_ptr<AccessDirectory> d, std::unique_ptr<Replica> r,
                     std::string version)
    : config(c),
      log(l),
      files(std::move(f)),
      opened(std::move(o)),
      channels(OpenChannels(config, opened.identity.domain)),
      io(log),
      tasks(io.executor(), log),
      directory(std::move(d)),
      replica(std::move(r)),
      freshness(clock, replica->proven_ms()),
      sync({.channel = channels.front(),
            .replica = *replica,
            .freshness = freshness,
            .pool = sync_pool,
            .tasks = tasks,
            .clock = clock,
            .metrics = metrics,
            .log = log,
            .version = std::move(version),
            .add_status = [this](v1::NodeMessage::Ping& ping) { Describe(ping); },
            .on_epoch = [this](const std::string& epoch) { mirror.BeginEpoch(epoch); },
            .on_trust = [this](const v1::TrustRow& trust) { renewal.SetTrust(trust); },
            .on_tombstones =
                [this](std::vector<Digest> digests) { mirror.DropTombstoned(std::move(digests)); },
            .drop_copies =
                [this](std::vector<CopyName> copies) {
                  return mirror.DropUnlinked(std::move(copies));
                }}),
      pull_reporter(PullReporterParts()),
      mirror(MirrorParts()),
      authenticator(*directory, passwords, clock, metrics, {}),
      front(config.registry, FilesShown(config), std::move(opened.certificate),
            {.server = {.executor = io.executor(),
                        .tls = nullptr,
                        .registry = mirror.registry(),
                        .directory = *directory,
                        .authenticator = authenticator,
                        .clock = clock,
                        .metrics = metrics,
                        .log = log,
                        .revocations_known =
                            [this] {
                              return CheckRevocationAge(replica->policy(), freshness.Staleness());
                            }},
             .pool = disk}),
      operations(
          io.executor(), config.operations_listen, metrics, [this] { return Ready(); }, log),
      renewal({.channel = channels.front(),
               .renewed = [this] { Reconnect(); },
               .pki = config.PkiFolder(),
               .node = opened.identity.name,
               .pool = disk,
               .clock = clock,
               .metrics = metrics,
               .log = log}),
      renewing(io.executor(), log) {}

PullReporter::Parts NodeParts::PullReporterParts() {
  return {.channel = channels.front(),
          .pulls = pulls,
          .meta = *opened.meta,
          .pool = disk,
          .tasks = tasks,
          .clock = clock,
          .metrics = metrics,
          .log = log,
          .store_is_connected = [this] { return sync.IsConnected(); }};
}

Mirror::Parts NodeParts::MirrorParts() {
  return Mirror::Parts{.channel = channels.front(),
                       .blob_channels = {channels.begin() + 1, channels.end()},
                       .meta = *opened.meta,
                       .blobs = *opened.blobs,
                       .headroom_bytes = config.disk.headroom_bytes,
                       .replica = *replica,
                       .pulls = pulls,
                       .freshness = freshness,
                       .pool = disk,
                       .tasks = tasks,
                       .clock = clock,
                       .metrics = metrics,
                       .log = log,
                       .store_name = config.store.substr(0, config.store.rfind(':')) +
                                     " (the port of its registry.listen)",
                       .read_only = config.read_only,
                       .store_is_connected = [this] { return sync.IsConnected(); }};
}

void NodeParts::Reconnect() {
  const auto credentials = IdentityCredentials(config.PkiFolder(), opened.identity.domain);
  for (const auto& channel : channels) channel->Replace(rpc::Dial(config.store, credentials, true));
  sync.Reconnect();
}

std::vector<std::string> NodeParts::Warnings() const {
  std::vector<std::string> warnings = front.certificate().Warnings();
  if (auto warning = renewal.Warning()) warnings.push_back(*std::move(warning));
  if (auto warning = disk_watch.Warning()) warnings.push_back(*std::move(warning));
  return warnings;
}

// Omits two warnings that the store finds out by itself: that this node is disconnected, and that
// its identity has expired.
void NodeParts::Describe(v1::NodeMessage::Ping& ping) const {
  renewal.AddTo(ping);
  ping.set_authorities(pki::BundleHash(front.certificate().fleet()));
  for (std::string& warning : Warnings()) ping.add_warnings(std::move(warning));
  if (auto expired = front.certificate().WhyExpired()) ping.add_warnings(*std::move(expired));
}

Readiness NodeParts::Ready() const {
  Readiness readiness{.reasons = {}, .warnings = Warnings()};
  const auto not_ready = [&readiness](std::optional<std::string> reason) {
    if (reason.has_value()) readiness.reasons.push_back(*std::move(reason));
  };
  if (stopping) not_ready("the node is stopping");
  if (const std::optional<Error> why = opened.meta->WhyReadOnly()) {
    not_ready("replication from the store has stopped: " + why->message);
  }
  not_ready(front.certificate().WhyExpired());
  if (auto expired = renewal.WhyExpired()) readiness.warnings.push_back(*std::move(expired));
  if (auto rejected = sync.WhyDenied(); rejected.has_value() && !sync.IsConnected()) {
    not_ready("the store rejects this node: " + *std::move(rejected));
  }
  if (auto closed = sync.WhyClosed(); closed.has_value() && !sync.IsConnected()) {
    readiness.warnings.push_back("the store closes the connections of this node: " +
                                 *std::move(closed));
  }
  const Result<void> known = CheckRevocationAge(replica->policy(), freshness.Staleness());
  if (!known.has_value()) not_ready(known.error().message);
  not_ready(WhyDependsOnStore());
  return readiness;
}

std::optional<std::string> NodeParts::WhyDependsOnStore() const {
  const std::string store = "the store at " + config.store;
  const auto staleness = freshness.Staleness();
  if (replica->position().epoch().empty()) return "this node has no snapshot yet from " + store;
  if (!staleness.has_value()) return "this node has no proof of freshness yet from " + store;
  if (sync.IsConnected()) return std::nullopt;
  const v1::FreshnessPolicy policy = replica->policy();
  if (!policy.serve_stale()) {
    return store + " is unreachable, and its policy forbids stale answers";
  }
  if (*staleness > std::chrono::milliseconds(policy.stale_if_error_ms())) {
    return store + " is unreachable, and the replica is too old to answer";
  }
  return std::nullopt;
}

}  // namespace outport::node
