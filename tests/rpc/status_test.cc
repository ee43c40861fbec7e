#include "registry/rpc/status.h"

#include <gtest/gtest.h>

namespace outport::rpc {
namespace {

TEST(Status, EveryErrorIsRestored) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const Error sent{static_cast<ErrorCode>(i), "the message", {"one", "two"}};
    const grpc::Status status = ToStatus(sent);
    EXPECT_FALSE(status.ok());
    const Error received = FromStatus(status, "asking");
    EXPECT_EQ(received.code, sent.code) << i;
    EXPECT_EQ(received.message, sent.message);
    EXPECT_EQ(received.items, sent.items);
  }
}

TEST(Status, ARefusalRestoresTheError) {
  const Error sent{ErrorCode::kManifestBlobUnknown, "not all there", {"one", "two"}};
  const Error received = FromRefusal(ToRefusal(sent));
  EXPECT_EQ(received.code, sent.code);
  EXPECT_EQ(received.message, sent.message);
  EXPECT_EQ(received.items, sent.items);
}

TEST(Status, ARefusalOfAnotherReleaseIsLimited) {
  v1::Refusal refusal;
  refusal.set_code("manifest_blob_unknown");
  for (int i = 0; i < 1000; ++i) refusal.add_items("item");
  EXPECT_EQ(FromRefusal(refusal).items.size(), kMaxErrorItems);
}

TEST(Status, ABrokenConnectionIsUnavailable) {
  const grpc::Status status(grpc::StatusCode::INTERNAL, "Received RST_STREAM with error code 2");
  EXPECT_EQ(FromStatus(status, "asking").code, ErrorCode::kUnavailable);
}

// A peer that closes the connection in the handshake may have refused the certificate. The end of a
// connection that was in use says nothing about certificates.
TEST(Status, AConnectionThatIsClosedInTheHandshakeIsExplained) {
  const std::string failed = "failed to connect to all addresses; last error: UNAVAILABLE: ";
  const struct {
    std::string message;
    bool explained;
  } kCases[] = {
      {failed + "ipv4:127.0.0.1:1: Socket closed", true},
      {failed + "ipv4:127.0.0.1:1: recvmsg:Connection reset by peer", true},
      {failed + "ipv4:127.0.0.1:1: Connection refused", false},
      {"Socket closed", false},
  };
  for (const auto& c : kCases) {
    const Error error = FromStatus({grpc::StatusCode::UNAVAILABLE, c.message}, "asking");
    EXPECT_EQ(error.code, ErrorCode::kUnavailable);
    EXPECT_EQ(error.message.contains(kClosedInHandshake), c.explained) << error.message;
  }
}

TEST(Status, AnErrorWithoutItemsHasNone) {
  EXPECT_TRUE(FromStatus(ToStatus({ErrorCode::kNotFound, "x"}), "asking").items.empty());
}

TEST(Status, GrpcFailuresNameTheOperation) {
  const grpc::Status status(grpc::StatusCode::UNAVAILABLE, "connection refused");
  const Error error = FromStatus(status, "asking the store at 127.0.0.1:1");
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_EQ(error.message, "asking the store at 127.0.0.1:1: connection refused");
}

}  // namespace
}  // namespace outport::rpc
