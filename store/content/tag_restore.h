#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "store/audit/auditor.h"
#include "store/content/manifest_restore.h"

namespace outport::store {

// Sets a tag to what it was before. Safe for several threads; blocks.
class TagRestore {
 public:
  // The referenced objects outlive this object.
  explicit TagRestore(const ManifestRestore::Parts& parts) : parts_(parts) {}

  // Restores the digest that the tag had before its last change.
  struct BeforeLastChange {};
  // Restores the digest that the tag had at this time.
  struct At {
    int64_t time_ms;
  };
  // One of the digests in the tag's history.
  using To = std::variant<BeforeLastChange, At, Digest>;

  struct Restored {
    Digest digest;
    std::string before;  // the tag's digest before; empty: the tag did not exist
    uint64_t sequence = 0;
  };
  // Sets the tag like a push of the manifest does. If the tag names the digest already, only brings
  // back what the manifest needs. kNotFound if the history does not have what `to` asks for; the
  // error says what it has. kInvalidArgument if the time is in the future. kFailedPrecondition if
  // content is gone; the error lists the missing digests. kDenied if a rule protects the tag, and
  // the tag exists. The result is durable.
  Result<Restored> Run(const RepositoryName& repository, const Tag& tag, const To& to,
                       const Actor& by) const;

 private:
  const ManifestRestore::Parts parts_;
};

}  // namespace outport::store
