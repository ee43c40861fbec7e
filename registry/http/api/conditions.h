#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "registry/http/connection/request_head.h"
#include "registry/http/connection/response.h"
#include "registry/oci/digest.h"
#include "registry/service/registry.h"

namespace outport::http {

// Returns the entity tag of a content, which is its digest in quotes.
std::string EntityTag(const Digest& digest);

// Whether the If-None-Match field names `digest`. If so, the response is 304 (RFC 9110 §13.1.2).
// The field is "*" or a list of entity tags. The tags may be weak or strong, with or without
// quotes.
bool NoneMatchNames(std::string_view if_none_match, const Digest& digest);

// Whether the request's Range field applies. It applies if If-Range is empty or is the strong
// entity tag of `digest` (RFC 9110 §13.1.5).
bool RangeApplies(std::string_view if_range, const Digest& digest);

// Returns the value of the Outport-Min-Sequence field: the sequence of a change that the answer
// must include. Returns 0 if the request has no such field, and kInvalidArgument if the value is
// not a number.
Result<uint64_t> ParseMinSequence(const RequestHead& head);

// Sets the fields Age and Warning if the answer is stale. Does nothing if `stale` is nullopt.
void SetStaleness(Response& response, const std::optional<Staleness>& stale);

}  // namespace outport::http
