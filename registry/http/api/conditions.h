#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "registry/http/connection/request_head.h"
#include "registry/http/connection/response.h"
#include "registry/oci/digest.h"
#include "registry/service/registry.h"

namespace outport::http {

// A content's entity tag is its digest, in quotes.
std::string EntityTag(const Digest& digest);

// Whether an If-None-Match field ("*", or a list of tags, weak or strong, quoted or bare) names
// `digest`: then 304 (RFC 9110 §13.1.2).
bool NoneMatchNames(std::string_view if_none_match, const Digest& digest);

// Whether a Range counts, by its If-Range: none, or the strong tag of `digest` (RFC 9110 §13.1.5).
bool RangeApplies(std::string_view if_range, const Digest& digest);

// The sequence of the change that the answer must include (Outport-Min-Sequence); 0 if the request
// names none. kInvalidArgument for text that is not a number.
Result<uint64_t> ParseMinSequence(const RequestHead& head);

// Says in Age and Warning that an answer is old, and how old; nothing for a fresh one.
void SetStaleness(Response& response, const std::optional<Staleness>& stale);

}  // namespace outport::http
