#include "store/freshness_policy.h"

#include "registry/records/rows.h"
#include "store/audit/auditor.h"
#include "store/audit/row_json.h"

namespace outport::store {

v1::FreshnessPolicy FreshnessPolicyOf(const Config& config) {
  const Config::Freshness& freshness = config.freshness;
  v1::FreshnessPolicy policy;
  policy.set_max_staleness_ms(freshness.max_staleness.count());
  policy.set_stale_if_error_ms(freshness.stale_if_error.count());
  policy.set_serve_stale(freshness.serve_stale);
  policy.set_max_revocation_age_ms(config.access.max_revocation_age.count());
  policy.set_serve_beyond_revocation_age(config.access.serve_on_expired_revocations);
  return policy;
}

v1::PolicyRow PolicyOf(const Config& config) {
  v1::PolicyRow policy;
  *policy.mutable_freshness() = FreshnessPolicyOf(config);
  policy.set_client_auth(std::string(ToString(config.registry.client_auth)));
  policy.set_client_ca(config.registry.client_ca.native());
  policy.set_client_crl(config.registry.client_crl.native());
  policy.set_htpasswd_file(config.access.htpasswd_file.native());
  policy.set_htpasswd_group(config.access.htpasswd_group);
  policy.set_node_identity_certificate_lifetime_ms(
      config.nodes.identity_certificate_lifetime.count());
  policy.set_node_server_certificate_lifetime_ms(config.nodes.server_certificate_lifetime.count());
  policy.set_audit_file(config.AuditFile().native());
  policy.set_audit_max_size_bytes(config.audit.max_size_bytes);
  policy.set_audit_max_files(config.audit.max_files);
  policy.set_audit_max_entries(config.audit.max_entries);
  policy.set_audit_syslog(config.audit.syslog);
  policy.set_gc_grace_ms(config.gc.grace.count());
  policy.set_gc_lease_ms(config.gc.lease.count());
  policy.set_gc_trash_ms(config.gc.trash.count());
  policy.set_gc_longest_pull_ms(config.gc.longest_pull.count());
  policy.set_gc_window(config.gc.window.ToString());
  policy.set_gc_free_at_once_below_bytes(config.gc.free_at_once_below);
  return policy;
}

Result<void> RecordPolicy(MetaStore& meta, const v1::PolicyRow& policy, const Clock& clock) {
  const Auditor auditor(Actor::Store(), clock);
  auto record = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto before, LockRow<v1::PolicyRow>(transaction, keys::kPolicy));
    if (before.has_value() && before->SerializeAsString() == policy.SerializeAsString()) return {};
    auditor.Add(transaction, "policy.set", "policy", RowJson(before), RowJson(policy));
    return WriteRow(transaction, keys::kPolicy, policy);
  };
  TRY_VOID(Transact(meta, record));
  return {};
}

}  // namespace outport::store
