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

// Identifies a certificate independently of its name. Both fields are lowercase hex.
struct CertificateId {
  std::string issuer_key_id;
  std::string serial;
  auto operator<=>(const CertificateId&) const = default;
};

// This text instead of a serial stands for all certificates of the issuer, present and future.
inline constexpr std::string_view kAllSerials = "*";

// The access state in memory: users, grants of groups, certificates and anonymous, revoked
// certificates, node permissions. It follows the rows in the metadata. Servers use it to authorise
// each request, and to re-authorise requests in progress when it changes. Safe for all threads;
// does not block.
class AccessDirectory {
 public:
  // The complete state, for a start or after a snapshot.
  struct Contents {
    std::vector<User> users = {};
    std::map<Subject, std::vector<Grant>> grants = {};
    std::set<CertificateId> revoked = {};
  };

  std::shared_ptr<const User> Find(std::string_view name) const;  // nullptr if no such user
  // Whether the certificate is revoked. At the store, a certificate of the fleet also counts as
  // revoked if its issuer is not a current CA of the fleet. Foreign authorities revoke their
  // certificates in their own CRLs, which this class does not see.
  bool IsRevoked(const CertificateIdentity& certificate) const;
  // Returns the rights of a caller. A null `user` means that the caller did not log in. An empty
  // `certificate` means that the caller has no client certificate, or that the grants of the
  // certificate do not apply.
  Rights RightsOf(const std::shared_ptr<const User>& user, std::string_view certificate) const;
  // Whether `subject` has grants. REQUIRES: `subject` is not a user.
  bool HasGrants(const Subject& subject) const;

  void Set(User user);
  void Remove(std::string_view name);
  // Replaces the grants of `subject`. An empty list removes all its grants. REQUIRES: `subject` is
  // not a user.
  void SetGrants(const Subject& subject, std::vector<Grant> grants);
  void Revoke(CertificateId certificate);
  // At the store, sets the key ids of the fleet's current issuing CAs.
  void SetIssuers(std::set<std::string> issuers);
  // At a node, sets the node's own permissions, which limit the rights of all callers from now on.
  void SetNodePermissions(NodePermissions permissions);
  void ReplaceAll(Contents contents);

  // This notifier wakes its waiters after each change.
  Notifier& Changed() { return changed_; }

 private:
  using Grants = std::shared_ptr<const std::vector<Grant>>;
  void AddSource(Subject subject, std::vector<Rights::Source>& sources) const
      OUTPORT_REQUIRES_LOCK(mutex_);

  mutable Mutex mutex_;
  // Requests in progress may share an older version of a user.
  std::unordered_map<std::string, std::shared_ptr<const User>> users_ OUTPORT_GUARDED_BY(mutex_);
  std::map<Subject, Grants> grants_ OUTPORT_GUARDED_BY(mutex_);
  std::set<CertificateId> revoked_ OUTPORT_GUARDED_BY(mutex_);
  std::set<std::string> issuers_ OUTPORT_GUARDED_BY(mutex_);  // empty: do not check issuers
  std::shared_ptr<const NodePermissions> node_ OUTPORT_GUARDED_BY(mutex_);  // shared with rights
  Notifier changed_;
};

}  // namespace outport
