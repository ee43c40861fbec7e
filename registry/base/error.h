#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outport {

// The kind of an error. One table in error.cc gives each code its OCI name, HTTP status and gRPC
// status; no other code writes those numbers.
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
  kMalformedRequest,    // not HTTP, or a request that matches no route
  kUriTooLong,
  kHeaderTooLarge,
  kRequestTimeout,
  kNoSpace,
  kNotFound,  // for administrators: no such user, node or token
  kAlreadyExists,
  kInvalidArgument,
  kFailedPrecondition,
  kCancelled,
  kDeadlineExceeded,
  kCorrupt,  // bytes on disk or on the wire do not match their checksum
  kInternal,
};

struct ErrorTraits {
  ErrorCode code;
  std::string_view name;      // stable; used on the wire, in logs and in metrics
  std::string_view oci_code;  // the `code` of the registry's error JSON
  int http_status;
  int grpc_status;          // a grpc::StatusCode
  int retry_after_seconds;  // 0: no Retry-After
};

const ErrorTraits& TraitsOf(ErrorCode code);

// The traits whose name is `name`, or nullptr.
const ErrorTraits* FindErrorTraits(std::string_view name);

// A failure. The message names the operation, the object and the cause, so that a user can act.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  // The objects of the failure (the digests of missing blobs), each reported separately. May be
  // empty.
  std::vector<std::string> items = {};
  int retry_after_seconds = 0;  // 0: the value of the code's traits

  // Prefixes the message with the operation: "opening the blob: no such file".
  Error Within(std::string_view operation) &&;
};

// The error of a system call: "writing FILE: CAUSE". kNoSpace for a full disk, else kInternal.
Error ErrnoError(int error_number, std::string_view operation, std::string_view object);

}  // namespace outport
