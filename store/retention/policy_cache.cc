#include "store/retention/policy_cache.h"

#include <utility>

#include "store/retention/policy_file.h"
#include "store/retention/tag_patterns.h"

namespace outport::store {
namespace {

const std::string kStoredName = "the applied policies";  // in the place of a file's name

Result<std::shared_ptr<const PolicySet>> Read(const std::string& yaml) {
  TagPatterns patterns(PolicySource::kStore);
  auto read = std::make_shared<PolicySet>();
  TRY(read->policies, ParsePolicies(yaml, kStoredName, patterns));
  for (const v1::RetentionPolicy& policy : read->policies.policies()) {
    TRY(CompiledPolicy next, CompiledPolicy::Compile(policy, patterns));
    read->compiled.push_back(std::move(next));
  }
  return read;
}

}  // namespace

Result<v1::RetentionPolicies> PolicyCache::Check(const std::string& yaml,
                                                 const std::string& file_name) {
  MutexLock lock(mutex_);
  return ParsePolicies(yaml, file_name);
}

Result<std::shared_ptr<const PolicySet>> PolicyCache::Find(const std::string& yaml) {
  MutexLock lock(mutex_);
  if (!known_.has_value() || known_->yaml != yaml) {
    known_.emplace(Known{.yaml = yaml, .policies = Read(yaml)});
  }
  return known_->policies;
}

}  // namespace outport::store
