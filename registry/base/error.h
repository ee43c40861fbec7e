#pragma once

#include <cstddef>
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
  // Codes that Docker added.
  kRangeInvalid,
  kTagInvalid,
  kManifestTooLarge,
  kPaginationInvalid,
  kUnavailable,
  // Outport's own codes.
  kCertificateInvalid,  // the client certificate is missing or not accepted
  kMalformedRequest,    // the request is not valid HTTP
  kUriTooLong,
  kHeaderTooLarge,
  kRequestTimeout,
  kNoSpace,
  kNotFound,  // no such path in the API, file, user, node or token
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
  int retry_after_seconds;  // 0: the response has no Retry-After
};

const ErrorTraits& TraitsOf(ErrorCode code);

// Returns the traits with this name, or nullptr if no code has it.
const ErrorTraits* FindErrorTraits(std::string_view name);

inline constexpr size_t kMaxErrorItems = 100;

// A failure. The message names the operation, the object and the cause, so that a user can act.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  // The objects that failed, for example the digests of missing blobs. The OCI error JSON has one
  // entry for each of them. May be empty. About() limits their number.
  std::vector<std::string> items = {};
  int retry_after_seconds = 0;  // 0: use the value in the code's traits

  // Prefixes the message with the operation: "opening the blob: no such file".
  Error Within(std::string_view operation) &&;
  // Adds the objects that failed. Of more than kMaxErrorItems it keeps the first ones, and the
  // message says how many more there are.
  Error About(std::vector<std::string> objects) &&;
};

// Makes the error of a failed system call: "writing FILE: CAUSE". The code is kNoSpace if the disk
// is full, else kInternal.
Error ErrnoError(int error_number, std::string_view operation, std::string_view object);

}  // namespace outport
