#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/security/grants/rights.h"
#include "registry/security/grants/user.h"

namespace outport {

// Identifies a certificate independently of its name. Both are lowercase hex.
struct CertificateId {
  std::string issuer_key_id;
  std::string serial;
  auto operator<=>(const CertificateId&) const = default;
};

// As a serial: all certificates of the issuer, present and future.
inline constexpr std::string_view kAllSerials = "*";

// The access state in memory: users, grants of groups, certificates and anonymous, revoked
// certificates, node permissions. It follows the rows in the metadata. Servers authorise each
// request with it, and re-authorise requests in progress when it changes. Safe for all threads;
// does not block.
class AccessDirectory {
 public:
  // A complete state, for the start or after a snapshot.
  struct Contents {
    std::vector<User> users = {};
    std::map<Subject, std::vector<Grant>> grants = {};
    std::set<CertificateId> revoked = {};
  };

  std::shared_ptr<const User> Find(std::string_view name) const;  // nullptr if there is none
  // Whether the certificate is revoked, or (at the store) its issuer is not a current CA of the
  // fleet. Certificates of foreign authorities are revoked by their own CRLs, not here.
  bool IsRevoked(const CertificateIdentity& certificate) const;
  // The rights of `user` (nullptr: no login) with a client certificate of that name (empty: no
  // certificate, or its grants do not apply).
  Rights RightsOf(const std::shared_ptr<const User>& user, std::string_view certificate) const;
  // Whether `subject`, which is not a user, has grants.
  bool HasGrants(const Subject& subject) const;

  void Set(User user);
  void Remove(std::string_view name);
  // Replaces the grants of `subject`, which is not a user. An empty list removes them.
  void SetGrants(const Subject& subject, std::vector<Grant> grants);
  void Revoke(CertificateId certificate);
  // At the store: the key ids of the fleet's current issuing CAs.
  void SetIssuers(std::set<std::string> issuers);
  // At a node: its own permissions. They limit the rights of all callers from now on.
  void SetNodePermissions(NodePermissions permissions);
  void ReplaceAll(Contents contents);

  // Notified after each change.
  Notifier& Changed() { return changed_; }

 private:
  using Grants = std::shared_ptr<const std::vector<Grant>>;
  void AddSource(Subject subject, std::vector<Rights::Source>& sources) const
      OUTPORT_REQUIRES_LOCK(mutex_);

  mutable Mutex mutex_;
  // Shared with requests in progress that use an older version.
  std::unordered_map<std::string, std::shared_ptr<const User>> users_ OUTPORT_GUARDED_BY(mutex_);
  std::map<Subject, Grants> grants_ OUTPORT_GUARDED_BY(mutex_);
  std::set<CertificateId> revoked_ OUTPORT_GUARDED_BY(mutex_);
  std::set<std::string> issuers_ OUTPORT_GUARDED_BY(mutex_);  // empty: unknown, not checked
  std::shared_ptr<const NodePermissions> node_ OUTPORT_GUARDED_BY(mutex_);  // shared with rights
  Notifier changed_;
};

}  // namespace outport
