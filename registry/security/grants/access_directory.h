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

// A certificate, whatever its name: (issuer key id, serial), both lowercase hex.
struct CertificateId {
  std::string issuer_key_id;
  std::string serial;
  auto operator<=>(const CertificateId&) const = default;
};

// As a serial: all that the issuer has issued and will issue.
inline constexpr std::string_view kAllSerials = "*";

// Who may come in and what they may do, in memory: users, the grants of groups, certificates and
// anybody, revoked certificates. It follows rows; whoever serves requests asks it for each, and
// asks again for those under way when it changes. Safe for all threads; does not block.
class AccessDirectory {
 public:
  // All of it, for a start or after a snapshot.
  struct Contents {
    std::vector<User> users = {};
    std::map<Subject, std::vector<Grant>> grants = {};
    std::set<CertificateId> revoked = {};
  };

  std::shared_ptr<const User> Find(std::string_view name) const;  // nullptr if there is none
  // Or of an issuer that is none of the fleet's (any more), where these are known. Those of foreign
  // authorities are refused by their own lists.
  bool IsRevoked(const CertificateIdentity& certificate) const;
  // What counts for `user` (nullptr: nobody logged in) who shows a certificate of that name (empty:
  // none that may add anything).
  Rights RightsOf(const std::shared_ptr<const User>& user, std::string_view certificate) const;
  // Whether a subject that is no user has grants.
  bool HasGrants(const Subject& subject) const;

  void Set(User user);
  void Remove(std::string_view name);
  // Replaces what the subject, no user, is granted; nothing: it has no grants any more.
  void SetGrants(const Subject& subject, std::vector<Grant> grants);
  void Revoke(CertificateId certificate);
  // At the store: the key ids of the CAs that certificates of the fleet are issued by.
  void SetIssuers(std::set<std::string> issuers);
  // At a node: what it may itself, which bounds everybody's rights from now on.
  void SetNode(NodePermissions permissions);
  void ReplaceAll(Contents contents);

  // Notified after anything has changed.
  Notifier& Changed() { return changed_; }

 private:
  using Grants = std::shared_ptr<const std::vector<Grant>>;
  void AddSource(Subject subject, std::vector<Rights::Source>& sources) const
      OUTPORT_REQUIRES_LOCK(mutex_);

  mutable Mutex mutex_;
  // Shared with the requests that are under way with an older version.
  std::unordered_map<std::string, std::shared_ptr<const User>> users_ OUTPORT_GUARDED_BY(mutex_);
  std::map<Subject, Grants> grants_ OUTPORT_GUARDED_BY(mutex_);
  std::set<CertificateId> revoked_ OUTPORT_GUARDED_BY(mutex_);
  std::set<std::string> issuers_ OUTPORT_GUARDED_BY(mutex_);  // empty: they are not known here
  std::shared_ptr<const NodePermissions> node_ OUTPORT_GUARDED_BY(mutex_);  // shared with rights
  Notifier changed_;
};

}  // namespace outport
