#pragma once

#include <string>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// What a manifest tells of itself to those who look at its subject.
v1::ReferrerRow ToReferrerRow(const Manifest& manifest, uint64_t size_bytes);

// Which manifests of a repository refer to another one. Safe for several threads; blocks.
class Referrers {
 public:
  explicit Referrers(const MetaStore& meta) : meta_(meta) {}

  // As Registry::ListReferrers.
  Result<ReferrersPage> List(const RepositoryName& repository, const Digest& subject,
                             const std::string& artifact_type, const PageRequest& page) const;

 private:
  const MetaStore& meta_;
};

}  // namespace outport::store
