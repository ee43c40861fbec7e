#pragma once

#include <string>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Returns the row by which a manifest is listed among the referrers of its subject.
v1::ReferrerRow ToReferrerRow(const Manifest& manifest, uint64_t size_bytes);

// Lists the manifests of a repository that refer to another one. Safe for several threads. Blocks.
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
