#include "registry/security/tls/served_certificate.h"

#include <array>
#include <utility>

#include "registry/base/file.h"
#include "registry/base/repeat.h"
#include "registry/security/tls/list_history.h"

namespace outport {
namespace {

constexpr std::chrono::seconds kPeriod{2};
constexpr std::chrono::days kNotice{7};

// Reads the file that the configuration key `key` names, if it names one. An empty file is an
// error, because without the key's content the registry would ignore the key.
Result<std::string> ReadIfNamed(const std::filesystem::path& path, const std::string& key,
                                std::string& name) {
  if (path.empty()) return std::string();
  name = key + ": " + path.native();
  Result<std::string> text = ReadWholeFile(path);
  if (!text.has_value()) return std::move(text).error().Within(key);
  if (!text->empty()) return text;
  return Error{ErrorCode::kInvalidArgument,
               name + ": the file is empty; write its content again, or remove the key " + key +
                   " and restart the daemon"};
}

// The parts that the server replaces independently of each other.
Result<void> ReadIdentity(const CertificateFiles& files, ServerTlsOptions& into) {
  TRY(into.certificate_chain, ReadWholeFile(files.certificate));
  TRY(into.private_key, ReadSecretFile(files.key));
  return {};
}

Result<void> ReadFleet(const CertificateFiles& files, ServerTlsOptions& into) {
  if (files.fleet.empty()) return {};
  into.trust.fleet_name = "the authorities of clients: " + files.fleet.native();
  TRY(into.trust.fleet, ReadWholeFile(files.fleet));
  return {};
}

Result<void> ReadForeign(const CertificateFiles& files, ServerTlsOptions& into) {
  TRY(into.trust.foreign,
      ReadIfNamed(files.client_ca, "registry.client_ca", into.trust.foreign_name));
  TRY(into.trust.lists,
      ReadIfNamed(files.client_crl, "registry.client_crl", into.trust.lists_name));
  return {};
}

constexpr std::array kReadPart = {ReadIdentity, ReadFleet, ReadForeign};

// Returns "expired at TIME" or "is not valid before TIME", or nullopt if the certificate is valid.
std::optional<std::string> WhyNotValid(const pki::Validity& validity,
                                       std::chrono::system_clock::time_point now) {
  if (now >= validity.end) return "expired at " + FormatTime(validity.end);
  if (now >= validity.begin) return std::nullopt;
  return "is not valid before " + FormatTime(validity.begin) + "; check the clock of this machine";
}

Result<LoadedCertificate> Make(const CertificateFiles& files, ServerTlsOptions options,
                               const ListHistory& history,
                               std::chrono::system_clock::time_point now) {
  auto validity = pki::ValidityOf(options.certificate_chain);
  if (!validity.has_value()) {
    return std::move(validity).error().Within(files.certificate.native());
  }
  // Check the authorities first, so that an error about them does not name the certificate and the
  // key.
  TRY_VOID(ClientTrust::Create(options.trust));
  TRY_VOID(history.Check(options.trust, now));
  options.trust.departed_lists = history.DepartedLists(options.trust);
  auto tls = ServerTlsContext::Create(options);
  if (!tls.has_value()) {
    return std::move(tls).error().Within("the server certificate " + files.certificate.native() +
                                         " and its key " + files.key.native());
  }
  return LoadedCertificate{std::move(options), *std::move(tls), *validity};
}

}  // namespace

Result<LoadedCertificate> LoadCertificate(const CertificateFiles& files, ServerTlsOptions shown) {
  for (const auto read : kReadPart) {
    TRY_VOID(read(files, shown));
  }
  return Make(files, std::move(shown), ListHistory(), std::chrono::system_clock::now());
}

ServedCertificate::ServedCertificate(Parts parts, LoadedCertificate first)
    : parts_(std::move(parts)),
      expiry_(parts_.metrics.Gauge("outport_server_certificate_expiry_timestamp_seconds",
                                   "Expiry of the registry's server certificate, in Unix time.")),
      reloads_(parts_.metrics.Counter("outport_server_certificate_reloads_total",
                                      "Successful reloads of the server certificate.")),
      failures_(parts_.metrics.Counter("outport_server_certificate_reload_failures_total",
                                       "Failed reloads of the server certificate.")),
      failure_({.log = parts_.log,
                .failed = "server certificate reload failed: previous files stay in use",
                .failing = &parts_.metrics.Gauge("outport_server_certificate_reload_failed",
                                                 "1 while the new certificate files are invalid "
                                                 "and the previous certificate is served.")}),
      history_(std::make_unique<ListHistory>()),
      current_(std::move(first)) {
  history_->Record(current_.options.trust);
  expiry_.Set(static_cast<double>(std::chrono::system_clock::to_time_t(current_.validity.end)));
}

ServedCertificate::~ServedCertificate() = default;

std::shared_ptr<ServerTlsContext> ServedCertificate::tls() const {
  MutexLock lock(mutex_);
  return current_.tls;
}

std::chrono::system_clock::time_point ServedCertificate::not_after() const {
  return validity().end;
}

pki::Validity ServedCertificate::validity() const {
  MutexLock lock(mutex_);
  return current_.validity;
}

std::string ServedCertificate::fleet() const {
  MutexLock lock(mutex_);
  return current_.options.trust.fleet;
}

std::optional<std::string> ServedCertificate::WhyNotReloaded() const { return failure_.Reason(); }

std::optional<std::string> ServedCertificate::WhyExpired() const {
  auto why = WhyNotValid(validity(), parts_.clock.Wall());
  if (why.has_value()) why->insert(0, "the server certificate ");
  return why;
}

std::vector<std::string> ServedCertificate::Warnings() const {
  std::vector<std::string> warnings;
  const auto ends = not_after();
  const auto now = parts_.clock.Wall();
  if (now < ends && ends - now < kNotice) {
    warnings.push_back("the server certificate expires at " + FormatTime(ends));
  }
  if (const auto kept = WhyNotReloaded()) {
    warnings.push_back("server certificate reload failed, the previous files stay in use: " +
                       *kept);
  }
  const auto next_crl_expiry = tls()->trust().next_crl_expiry();
  if (next_crl_expiry.has_value() && *next_crl_expiry <= now) {
    warnings.push_back("registry.client_crl: a revocation list expired at " +
                       FormatTime(*next_crl_expiry) +
                       "; until you renew the list, certificates of its authority are rejected");
  }
  return warnings;
}

bool ServedCertificate::Reload() {
  LoadedCertificate next;
  {
    MutexLock lock(mutex_);
    next = current_;
  }
  bool changed = false;
  std::optional<Error> problem;
  for (const auto read : kReadPart) {
    ServerTlsOptions options = next.options;
    Result<void> loaded = read(parts_.files, options);
    if (loaded.has_value() && options == next.options) continue;
    if (loaded.has_value()) loaded = Replace(next, std::move(options));
    changed = changed || loaded.has_value();
    if (loaded.has_value()) continue;
    if (!problem.has_value()) {
      problem = std::move(loaded).error();
    } else {
      problem->message += "; " + loaded.error().message;
    }
  }
  Report(problem);  // before clients see the change
  if (changed) Use(std::move(next));
  return changed;
}

Result<void> ServedCertificate::Replace(LoadedCertificate& current,
                                        ServerTlsOptions options) const {
  TRY(LoadedCertificate loaded,
      Make(parts_.files, std::move(options), *history_, parts_.clock.Wall()));
  if (loaded.options.certificate_chain != current.options.certificate_chain) {
    if (const auto why = WhyNotValid(loaded.validity, parts_.clock.Wall())) {
      return Error{ErrorCode::kFailedPrecondition,
                   parts_.files.certificate.native() + ": it " + *why};
    }
  }
  current = std::move(loaded);
  return {};
}

void ServedCertificate::Report(const std::optional<Error>& problem) {
  if (!problem.has_value()) {
    suspect_.reset();
    failure_.Record({});
    return;
  }
  if (suspect_ == problem->message &&
      failure_.Record(*problem, {{"not_after", FormatTime(not_after())}})) {
    failures_.Increment();
  }
  suspect_ = problem->message;
}

void ServedCertificate::Use(LoadedCertificate loaded) {
  const auto tls = loaded.tls;
  const auto ends = loaded.validity.end;
  history_->Record(loaded.options.trust);
  {
    MutexLock lock(mutex_);
    current_ = std::move(loaded);
  }
  reloads_.Increment();
  expiry_.Set(static_cast<double>(std::chrono::system_clock::to_time_t(ends)));
  parts_.on_reload(tls);
  parts_.log.Info("server certificate and trust bundle reloaded",
                  {{"path", parts_.files.certificate.native()}, {"not_after", FormatTime(ends)}});
}

net::awaitable<void> ServedCertificate::FollowUntilCancelled() {
  auto reload = [this] { Reload(); };
  co_await RepeatBlockingUntilCancelled(kPeriod, parts_.pool, std::move(reload));
}

}  // namespace outport
