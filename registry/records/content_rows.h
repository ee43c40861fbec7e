#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/oci/referrer.h"
#include "registry/records/resolve.h"
#include "registry/storage/meta_store.h"

namespace outport {

// Answers questions about repositories from the rows of one view. The store and the nodes share
// this class. So at one position a node's replica gives the same answers as the store.
// `prefix` precedes every key: a node keeps each generation of its replica under its own prefix.
// Safe for several threads; every method may block. `view` outlives this object.
//
// The methods return the errors of the view, and kCorrupt for a row that cannot be read.
class ContentRows {
 public:
  explicit ContentRows(const MetaView& view, std::string prefix = {})
      : view_(view), prefix_(std::move(prefix)) {}

  Result<ResolveAnswer> Resolve(const ResolveQuestion& question) const;
  Result<bool> HasRepository(const RepositoryName& repository) const;
  Result<std::optional<v1::ManifestRow>> FindManifest(const RepositoryName& repository,
                                                      const Digest& digest) const;
  // Returns the tags that are greater than `after`, at most `limit` of them, in byte order.
  Result<std::vector<std::string>> ListTags(const RepositoryName& repository,
                                            const std::string& after, size_t limit) const;
  // Returns the repositories whose names begin with `begin` and are greater than `after`, at most
  // `limit` of them, in byte order.
  Result<std::vector<std::string>> ListRepositories(const std::string& begin,
                                                    const std::string& after, size_t limit) const;
  // Returns the manifests whose subject is `subject` and whose digests are greater than `after`, in
  // byte order of the digests. ScanRange explains the two limits.
  Result<std::vector<ReferrerInfo>> ListReferrers(const RepositoryName& repository,
                                                  const Digest& subject, const std::string& after,
                                                  size_t limit, size_t limit_bytes) const;

 private:
  template <class Row>
  Result<std::optional<Row>> Read(const std::string& key) const;
  // Returns rows of `section`. The prefix of the section is neither in `range` nor in the keys of
  // the result.
  Result<std::vector<KeyValue>> Scan(const std::string& section, ScanRange range) const;
  Result<std::optional<ResolveAnswer::Content>> Find(const ResolveQuestion& question) const;

  const MetaView& view_;
  const std::string prefix_;
};

}  // namespace outport
