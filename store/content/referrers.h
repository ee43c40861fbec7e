#pragma once

#include <string>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Returns the row that lists the manifest among the referrers of its subject.
v1::ReferrerRow ToReferrerRow(const Manifest& manifest, uint64_t size_bytes);

// Lists the manifests of a repository whose subject is a given manifest. Safe for several threads.
// Blocks.
class Referrers {
 public:
  explicit Referrers(const MetaStore& meta) : meta_(meta) {}

  // Does what Registry::ListReferrers says.
  Result<ReferrersPage> List(const RepositoryName& repository, const Digest& subject,
                             const std::string& artifact_type, const PageRequest& page) const;

 private:
  const MetaStore& meta_;
};

}  // namespace outport::store
