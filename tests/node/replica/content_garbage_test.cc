#include "node/replica/content_garbage.h"

#include <gtest/gtest.h>

#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/records/keys.h"
#include "tests/support/memory_meta_store.h"

namespace outport::node {
namespace {

Digest DigestOf(int content) {
  return Digest::Of(DigestAlgorithm::kSha256, AsBytes(std::to_string(content)));
}

void Put(MemoryMetaStore& meta, const std::string& key) {
  const auto transaction = meta.Begin();
  ASSERT_TRUE(transaction->Put(key, "x"));
  ASSERT_TRUE(transaction->Commit(MetaTransaction::Durability::kBuffered));
}

// Contents whose manifests stay are candidates in each pass, and each pass must end.
TEST(ContentGarbage, APassEndsWhateverTheNumberOfContents) {
  for (int contents = 1; contents <= 9; ++contents) {
    SCOPED_TRACE(contents);
    MemoryMetaStore meta;
    ContentGarbage garbage(meta);
    for (int i = 0; i < contents; ++i) {
      Put(meta, keys::Content(DigestOf(i)));
      if (i % 2 == 0) {
        Put(meta,
            keys::GenerationPrefix(1) + keys::ManifestOf(*RepositoryName::Parse("r"), DigestOf(i)));
      }
    }
    int rounds = 0;
    for (; *garbage.Collect() && rounds < 3; ++rounds) {
      while (*garbage.Step(1)) {
      }
    }
    EXPECT_EQ(rounds, 1);
    EXPECT_EQ(meta.Scan({.prefix = std::string(keys::kContents)})->size(),
              static_cast<size_t>((contents + 1) / 2));
  }
}

}  // namespace
}  // namespace outport::node
