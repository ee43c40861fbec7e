#include "registry/security/grants/access_directory.h"

#include <utility>

namespace outport {

std::shared_ptr<const User> AccessDirectory::Find(std::string_view name) const {
  const std::string key(name);
  MutexLock lock(mutex_);
  const auto found = users_.find(key);
  return found == users_.end() ? nullptr : found->second;
}

bool AccessDirectory::IsRevoked(const CertificateIdentity& certificate) const {
  MutexLock lock(mutex_);
  // The name is empty if the caller sent no certificate and the registry requires none.
  const bool of_fleet = !certificate.name.empty() && !certificate.name.starts_with(kForeignPrefix);
  if (!issuers_.empty() && of_fleet && !issuers_.contains(certificate.issuer_key_id)) return true;
  if (revoked_.empty()) return false;
  return revoked_.contains({certificate.issuer_key_id, certificate.serial}) ||
         revoked_.contains({certificate.issuer_key_id, std::string(kAllSerials)});
}

void AccessDirectory::AddSource(Subject subject, std::vector<Rights::Source>& sources) const {
  const auto found = grants_.find(subject);
  if (found != grants_.end()) sources.push_back({std::move(subject), found->second});
}

Rights AccessDirectory::RightsOf(const std::shared_ptr<const User>& user,
                                 std::string_view certificate) const {
  std::vector<Rights::Source> sources;
  if (user != nullptr) {
    sources.push_back({{SubjectKind::kUser, user->name}, Grants(user, &user->grants)});
  }
  bool known = user != nullptr;
  std::shared_ptr<const NodePermissions> node;
  {
    MutexLock lock(mutex_);
    if (user != nullptr && !grants_.empty()) {
      for (const std::string& group : user->groups) {
        AddSource({SubjectKind::kGroup, group}, sources);
      }
    }
    if (!certificate.empty() && !grants_.empty()) {
      const size_t before = sources.size();
      AddSource({SubjectKind::kCertificate, std::string(certificate)}, sources);
      known = known || sources.size() > before;
    }
    if (!grants_.empty()) AddSource({SubjectKind::kAnonymous, {}}, sources);
    node = node_;
  }
  std::string caller = "nobody";
  if (user != nullptr) {
    caller = "user '" + user->name + "'";
  } else if (known) {
    caller = "certificate '" + std::string(certificate) + "'";
  }
  return Rights(std::move(caller), !known, std::move(sources)).LimitedTo(std::move(node));
}

bool AccessDirectory::HasGrants(const Subject& subject) const {
  MutexLock lock(mutex_);
  return grants_.contains(subject);
}

void AccessDirectory::Set(User user) {
  auto shared = std::make_shared<const User>(std::move(user));
  {
    MutexLock lock(mutex_);
    users_[shared->name] = shared;
  }
  changed_.Notify();
}

void AccessDirectory::Remove(std::string_view name) {
  {
    MutexLock lock(mutex_);
    users_.erase(std::string(name));
  }
  changed_.Notify();
}

void AccessDirectory::SetGrants(const Subject& subject, std::vector<Grant> grants) {
  {
    MutexLock lock(mutex_);
    if (grants.empty()) {
      grants_.erase(subject);
    } else {
      grants_[subject] = std::make_shared<const std::vector<Grant>>(std::move(grants));
    }
  }
  changed_.Notify();
}

void AccessDirectory::Revoke(CertificateId certificate) {
  {
    MutexLock lock(mutex_);
    revoked_.insert(std::move(certificate));
  }
  changed_.Notify();
}

void AccessDirectory::SetIssuers(std::set<std::string> issuers) {
  {
    MutexLock lock(mutex_);
    issuers_ = std::move(issuers);
  }
  changed_.Notify();
}

void AccessDirectory::SetNodePermissions(NodePermissions permissions) {
  {
    MutexLock lock(mutex_);
    node_ = std::make_shared<const NodePermissions>(std::move(permissions));
  }
  changed_.Notify();
}

void AccessDirectory::ReplaceAll(Contents contents) {
  std::unordered_map<std::string, std::shared_ptr<const User>> users;
  for (User& user : contents.users) {
    auto shared = std::make_shared<const User>(std::move(user));
    users[shared->name] = shared;
  }
  std::map<Subject, Grants> grants;
  for (auto& [subject, granted] : contents.grants) {
    if (granted.empty()) continue;
    grants[subject] = std::make_shared<const std::vector<Grant>>(std::move(granted));
  }
  {
    MutexLock lock(mutex_);
    users_.swap(users);
    grants_.swap(grants);
    revoked_.swap(contents.revoked);
  }
  changed_.Notify();
}

}  // namespace outport
