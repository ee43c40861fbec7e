#pragma once

#include <string>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/records/row_page.h"
#include "registry/storage/meta_store.h"
#include "store/access/access_follower.h"
#include "store/access/users.h"
#include "store/audit/auditor.h"

namespace outport::store {

// Changes and lists grants. A user's grants are in the user's row; groups, certificates and
// 'anonymous' have rows of their own. When a change returns, the access directory is up to date.
// Safe for several threads; blocks.
class Grants {
 public:
  // The referenced objects outlive this object.
  Grants(MetaStore& meta, Users& users, AccessFollower& follower, const Clock& clock, Log log);

  // Adds a grant and returns the sequence of the change. Returns kInvalidArgument if the subject
  // cannot have this grant or has 100 grants already, kAlreadyExists if the subject has this grant,
  // and kNotFound if there is no such user. The audit log names `by`.
  Result<uint64_t> Add(const Subject& subject, const Grant& grant, const Actor& by);
  // Removes exactly this grant. Returns kNotFound if the subject does not have it; the error lists
  // the subject's grants. If the store cannot write, the removal is pending, and the result is 0:
  // see PendingAccess.
  Result<uint64_t> Remove(const Subject& subject, const Grant& grant, const Actor& by);

  // Returns at most `limit` grants of subjects that are not users, after the subject `after` in
  // byte order.
  Result<RowPage<v1::GrantRow>> List(const std::string& after, size_t limit) const;

 private:
  using Edit = std::function<Result<void>(google::protobuf::RepeatedPtrField<v1::Grant>& grants)>;
  Result<uint64_t> Change(const Subject& subject, const Edit& edit, const std::string& action,
                          const Actor& by);
  Result<uint64_t> Write(const std::string& name, const Edit& edit, const std::string& action,
                         const Actor& by);
  Result<std::optional<PendingAccess::Change>> Narrow(const std::string& subject, const Edit& edit,
                                                      const std::string& action);

  MetaStore& meta_;
  Users& users_;
  AccessFollower& follower_;
  const Clock& clock_;
  const Log log_;
};

}  // namespace outport::store
