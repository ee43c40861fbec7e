#include "registry/base/error.h"

#include <array>
#include <cerrno>
#include <system_error>

namespace outport {
namespace {

using enum ErrorCode;

// Copies of grpc::StatusCode's values, so that registry/base does not depend on gRPC.
enum Grpc : int {
  kGrpcCancelled = 1,
  kGrpcInvalidArgument = 3,
  kGrpcDeadlineExceeded = 4,
  kGrpcNotFound = 5,
  kGrpcAlreadyExists = 6,
  kGrpcPermissionDenied = 7,
  kGrpcResourceExhausted = 8,
  kGrpcFailedPrecondition = 9,
  kGrpcOutOfRange = 11,
  kGrpcUnimplemented = 12,
  kGrpcInternal = 13,
  kGrpcUnavailable = 14,
  kGrpcDataLoss = 15,
  kGrpcUnauthenticated = 16,
};

constexpr std::array kTraits = {
    ErrorTraits{kBlobUnknown, "blob_unknown", "BLOB_UNKNOWN", 404, kGrpcNotFound, 0},
    ErrorTraits{kBlobUploadInvalid, "blob_upload_invalid", "BLOB_UPLOAD_INVALID", 400,
                kGrpcInvalidArgument, 0},
    ErrorTraits{kBlobUploadUnknown, "blob_upload_unknown", "BLOB_UPLOAD_UNKNOWN", 404,
                kGrpcNotFound, 0},
    ErrorTraits{kDigestInvalid, "digest_invalid", "DIGEST_INVALID", 400, kGrpcInvalidArgument, 0},
    ErrorTraits{kManifestBlobUnknown, "manifest_blob_unknown", "MANIFEST_BLOB_UNKNOWN", 400,
                kGrpcFailedPrecondition, 0},
    ErrorTraits{kManifestInvalid, "manifest_invalid", "MANIFEST_INVALID", 400, kGrpcInvalidArgument,
                0},
    ErrorTraits{kManifestUnknown, "manifest_unknown", "MANIFEST_UNKNOWN", 404, kGrpcNotFound, 0},
    ErrorTraits{kNameInvalid, "name_invalid", "NAME_INVALID", 400, kGrpcInvalidArgument, 0},
    ErrorTraits{kNameUnknown, "name_unknown", "NAME_UNKNOWN", 404, kGrpcNotFound, 0},
    ErrorTraits{kSizeInvalid, "size_invalid", "SIZE_INVALID", 400, kGrpcInvalidArgument, 0},
    ErrorTraits{kUnauthorized, "unauthorized", "UNAUTHORIZED", 401, kGrpcUnauthenticated, 0},
    ErrorTraits{kDenied, "denied", "DENIED", 403, kGrpcPermissionDenied, 0},
    ErrorTraits{kUnsupported, "unsupported", "UNSUPPORTED", 405, kGrpcUnimplemented, 0},
    ErrorTraits{kTooManyRequests, "too_many_requests", "TOOMANYREQUESTS", 429,
                kGrpcResourceExhausted, 1},
    ErrorTraits{kRangeInvalid, "range_invalid", "RANGE_INVALID", 416, kGrpcOutOfRange, 0},
    ErrorTraits{kTagInvalid, "tag_invalid", "TAG_INVALID", 400, kGrpcInvalidArgument, 0},
    ErrorTraits{kManifestTooLarge, "manifest_too_large", "MANIFEST_INVALID", 413,
                kGrpcInvalidArgument, 0},
    ErrorTraits{kPaginationInvalid, "pagination_invalid", "PAGINATION_NUMBER_INVALID", 400,
                kGrpcInvalidArgument, 0},
    ErrorTraits{kUnavailable, "unavailable", "UNAVAILABLE", 503, kGrpcUnavailable, 5},
    ErrorTraits{kCertificateInvalid, "certificate_invalid", "UNAUTHORIZED", 400,
                kGrpcUnauthenticated, 0},
    ErrorTraits{kMalformedRequest, "malformed_request", "UNSUPPORTED", 400, kGrpcInvalidArgument,
                0},
    ErrorTraits{kUriTooLong, "uri_too_long", "UNSUPPORTED", 414, kGrpcInvalidArgument, 0},
    ErrorTraits{kHeaderTooLarge, "header_too_large", "UNSUPPORTED", 431, kGrpcInvalidArgument, 0},
    ErrorTraits{kRequestTimeout, "request_timeout", "UNAVAILABLE", 408, kGrpcDeadlineExceeded, 0},
    ErrorTraits{kNoSpace, "no_space", "DENIED", 507, kGrpcResourceExhausted, 0},
    ErrorTraits{kNotFound, "not_found", "UNSUPPORTED", 404, kGrpcNotFound, 0},
    ErrorTraits{kAlreadyExists, "already_exists", "UNSUPPORTED", 409, kGrpcAlreadyExists, 0},
    ErrorTraits{kInvalidArgument, "invalid_argument", "UNSUPPORTED", 400, kGrpcInvalidArgument, 0},
    ErrorTraits{kFailedPrecondition, "failed_precondition", "UNSUPPORTED", 409,
                kGrpcFailedPrecondition, 0},
    ErrorTraits{kCancelled, "cancelled", "UNAVAILABLE", 503, kGrpcCancelled, 5},
    ErrorTraits{kDeadlineExceeded, "deadline_exceeded", "UNAVAILABLE", 503, kGrpcDeadlineExceeded,
                5},
    ErrorTraits{kCorrupt, "corrupt", "UNKNOWN", 500, kGrpcDataLoss, 0},
    ErrorTraits{kInternal, "internal", "UNKNOWN", 500, kGrpcInternal, 0},
};

consteval bool TableFollowsEnum() {
  for (size_t i = 0; i < kTraits.size(); ++i) {
    if (static_cast<size_t>(kTraits[i].code) != i) return false;
  }
  return kTraits.size() == static_cast<size_t>(kInternal) + 1;
}
static_assert(TableFollowsEnum());

}  // namespace

const ErrorTraits& TraitsOf(ErrorCode code) { return kTraits[static_cast<size_t>(code)]; }

const ErrorTraits* FindErrorTraits(std::string_view name) {
  for (const ErrorTraits& traits : kTraits) {
    if (traits.name == name) return &traits;
  }
  return nullptr;
}

Error Error::Within(std::string_view operation) && {
  message = std::string(operation) + ": " + message;
  return std::move(*this);
}

Error Error::About(std::vector<std::string> objects) && {
  if (objects.size() > kMaxErrorItems) {
    message += " (the first " + std::to_string(kMaxErrorItems) + " are listed, and there are " +
               std::to_string(objects.size() - kMaxErrorItems) + " more)";
    objects.resize(kMaxErrorItems);
  }
  items = std::move(objects);
  return std::move(*this);
}

Error ErrnoError(int error_number, std::string_view operation, std::string_view object) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  return Error{.code = full ? kNoSpace : kInternal,
               .message = std::string(operation) + " " + std::string(object) + ": " +
                          std::generic_category().message(error_number)};
}

}  // namespace outport
