#include "registry/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>
#include <vector>

namespace outport {
namespace {

TEST(Error, EveryCodeHasAUniqueName) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const ErrorTraits& traits = TraitsOf(static_cast<ErrorCode>(i));
    EXPECT_TRUE(names.insert(traits.name).second) << traits.name;
    ASSERT_EQ(FindErrorTraits(traits.name), &traits);
    EXPECT_GE(traits.http_status, 400) << traits.name;
    EXPECT_LT(traits.http_status, 600) << traits.name;
    EXPECT_NE(traits.grpc_status, 0) << traits.name;
  }
  EXPECT_EQ(FindErrorTraits("no such name"), nullptr);
}

TEST(Error, EveryOciCodeIsKnownToClients) {
  const std::set<std::string_view> known = {"BLOB_UNKNOWN",
                                            "BLOB_UPLOAD_INVALID",
                                            "BLOB_UPLOAD_UNKNOWN",
                                            "DIGEST_INVALID",
                                            "MANIFEST_BLOB_UNKNOWN",
                                            "MANIFEST_INVALID",
                                            "MANIFEST_UNKNOWN",
                                            "NAME_INVALID",
                                            "NAME_UNKNOWN",
                                            "SIZE_INVALID",
                                            "UNAUTHORIZED",
                                            "DENIED",
                                            "UNSUPPORTED",
                                            "TOOMANYREQUESTS",
                                            "RANGE_INVALID",
                                            "TAG_INVALID",
                                            "PAGINATION_NUMBER_INVALID",
                                            "UNKNOWN",
                                            "UNAVAILABLE"};
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const ErrorTraits& traits = TraitsOf(static_cast<ErrorCode>(i));
    EXPECT_TRUE(known.contains(traits.oci_code)) << traits.name;
  }
}

TEST(Error, RetryableCodesHaveARetryAfter) {
  EXPECT_GT(TraitsOf(ErrorCode::kUnavailable).retry_after_seconds, 0);
  EXPECT_GT(TraitsOf(ErrorCode::kTooManyRequests).retry_after_seconds, 0);
  EXPECT_EQ(TraitsOf(ErrorCode::kManifestUnknown).retry_after_seconds, 0);
}

TEST(Error, AFullDiskHasItsOwnCode) {
  EXPECT_EQ(ErrnoError(ENOSPC, "writing", "/data/x").code, ErrorCode::kNoSpace);
  const Error error = ErrnoError(EIO, "writing", "/data/x");
  EXPECT_EQ(error.code, ErrorCode::kInternal);
  EXPECT_EQ(error.message, "writing /data/x: Input/output error");
}

TEST(Error, AboutKeepsTheFirstHundredObjectsAndCountsTheOthers) {
  std::vector<std::string> objects;
  for (int i = 0; i < 100; ++i) objects.push_back(std::to_string(i));
  const Error complete = Error{ErrorCode::kNotFound, "gone"}.About(objects);
  EXPECT_EQ(complete.message, "gone");
  EXPECT_EQ(complete.items, objects);
  objects.insert(objects.end(), 37'400 - 100, "more");
  const Error cut = Error{ErrorCode::kNotFound, "gone"}.About(objects);
  EXPECT_EQ(cut.message, "gone (the first 100 are listed, and there are 37300 more)");
  EXPECT_EQ(cut.items, complete.items);
}

TEST(Error, WithinPrefixesTheOperation) {
  const Error error = Error{ErrorCode::kNotFound, "no such file", {"a"}}.Within("opening the blob");
  EXPECT_EQ(error.message, "opening the blob: no such file");
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_EQ(error.items.size(), 1u);
}

}  // namespace
}  // namespace outport
