#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outport {

// Why something was refused or failed. One table in error.cc gives each code its OCI name, HTTP
// status and gRPC status; nobody else writes those numbers.
enum class ErrorCode {
  // OCI distribution-spec, "Error Codes".
  kBlobUnknown,
  kBlobUploadInvalid,
  kBlobUploadUnknown,
  kDigestInvalid,
  kManifestBlobUnknown,
  kManifestInvalid,
  kManifestUnknown,
  kNameInvalid,
  kNameUnknown,
  kSizeInvalid,
  kUnauthorized,
  kDenied,
  kUnsupported,
  kTooManyRequests,
  // Docker's additions.
  kRangeInvalid,
  kTagInvalid,
  kManifestTooLarge,
  kPaginationInvalid,
  kUnavailable,
  // Ours.
  kCertificateInvalid,  // no client certificate, or one that is not accepted
  kMalformedRequest,    // not HTTP, or a request that no route can mean
  kUriTooLong,
  kHeaderTooLarge,
  kRequestTimeout,
  kNoSpace,
  kNotFound,  // of an administrator's request: a user, a node, a token
  kAlreadyExists,
  kInvalidArgument,
  kFailedPrecondition,
  kCancelled,
  kDeadlineExceeded,
  kCorrupt,  // bytes on disk or on the wire are not what their checksum says
  kInternal,
};

struct ErrorTraits {
  ErrorCode code;
  std::string_view name;      // ours and stable: crosses the wire, stands in logs and metrics
  std::string_view oci_code;  // the `code` of the registry's error JSON
  int http_status;
  int grpc_status;          // a grpc::StatusCode
  int retry_after_seconds;  // 0: no Retry-After
};

const ErrorTraits& TraitsOf(ErrorCode code);

// The traits whose name is `name`, or nullptr.
const ErrorTraits* FindErrorTraits(std::string_view name);

// Names the operation, the object and the cause, in a sentence that a user can act on.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  // What was refused, one entry of the error list each (the digests of missing blobs); may be
  // empty.
  std::vector<std::string> items = {};
  int retry_after_seconds = 0;  // 0: as the code's traits say

  // "opening the blob: no such file": the same error, said from one level up.
  Error Within(std::string_view operation) &&;
};

// kInternal for an errno, or kNoSpace for those that mean a full disk: "writing FILE: CAUSE".
Error ErrnoError(int error_number, std::string_view operation, std::string_view object);

}  // namespace outport
