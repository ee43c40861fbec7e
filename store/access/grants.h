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

// The grants of users (in their rows), groups, certificates and 'anonymous'. The access directory
// is up to date when a change returns. Safe for several threads; blocks.
class Grants {
 public:
  // The references outlive it.
  Grants(MetaStore& meta, Users& users, AccessFollower& follower, const Clock& clock, Log log);

  // Returns the change's sequence. kInvalidArgument: the grant is not valid for the subject, or the
  // subject has 100 already; kAlreadyExists; kNotFound: the user is unknown. `by` is for the audit
  // log.
  Result<uint64_t> Add(const Subject& subject, const Grant& grant, const Actor& by);
  // Removes exactly this grant. kNotFound lists the grants of the subject.
  Result<uint64_t> Remove(const Subject& subject, const Grant& grant, const Actor& by);

  // The grants of subjects that are not users, after the subject `after` in byte order, at most
  // `limit`.
  Result<RowPage<v1::GrantRow>> List(const std::string& after, size_t limit) const;

 private:
  using Edit = std::function<Result<void>(google::protobuf::RepeatedPtrField<v1::Grant>& grants)>;
  Result<uint64_t> Change(const Subject& subject, const Edit& edit, const std::string& action,
                          const Actor& by);

  MetaStore& meta_;
  Users& users_;
  AccessFollower& follower_;
  const Clock& clock_;
  const Log log_;
};

}  // namespace outport::store
