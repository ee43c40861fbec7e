#include "store/access/narrowing.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "registry/records/access_records.h"

namespace outport::store {
namespace {

using Texts = google::protobuf::RepeatedPtrField<std::string>;

bool IsPart(const Texts& part, const Texts& whole) {
  return std::ranges::all_of(part, [&whole](const std::string& text) {
    return std::ranges::find(whole, text) != whole.end();
  });
}

int64_t EndOf(const v1::UserRow& row) {
  return row.expires_ms() == 0 ? std::numeric_limits<int64_t>::max() : row.expires_ms();
}

// An empty list admits every certificate.
bool AdmitsNoMore(const Texts& before, const Texts& after) {
  return before.empty() || (!after.empty() && IsPart(after, before));
}

bool IsPartOf(const Grant& grant, const Grant& whole) {
  const bool covered = whole.pattern == grant.pattern || whole.pattern == kEverything;
  return covered && std::ranges::includes(whole.actions, grant.actions);
}

}  // namespace

bool IsNarrower(const google::protobuf::RepeatedPtrField<v1::Grant>& before,
                const google::protobuf::RepeatedPtrField<v1::Grant>& after) {
  const std::vector<Grant> whole = ToGrants(before);
  return std::ranges::all_of(ToGrants(after), [&whole](const Grant& grant) {
    return std::ranges::find(whole, grant) != whole.end();
  });
}

bool IsNarrower(const v1::UserRow& before, const v1::UserRow& after) {
  return before.password_hash() == after.password_hash() &&
         (after.disabled() || !before.disabled()) && EndOf(after) <= EndOf(before) &&
         IsNarrower(before.grants(), after.grants()) && IsPart(after.groups(), before.groups()) &&
         AdmitsNoMore(before.only_from(), after.only_from());
}

bool IsNarrowerNode(const std::vector<Grant>& before, const std::vector<Grant>& after) {
  return std::ranges::all_of(after, [&before](const Grant& grant) {
    return std::ranges::any_of(before,
                               [&grant](const Grant& whole) { return IsPartOf(grant, whole); });
  });
}

}  // namespace outport::store
