#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "registry/http/connection/request_head.h"
#include "registry/http/connection/response.h"
#include "registry/oci/digest.h"
#include "registry/service/registry.h"

namespace outport::http {

// The entity tag of a content: its digest in quotes.
std::string EntityTag(const Digest& digest);

// Whether an If-None-Match field names `digest`, so that the response is 304 (RFC 9110 §13.1.2).
// The field is "*" or a list of entity tags: weak or strong, with or without quotes.
bool NoneMatchNames(std::string_view if_none_match, const Digest& digest);

// Whether Range applies: If-Range is empty or the strong tag of `digest` (RFC 9110 §13.1.5).
bool RangeApplies(std::string_view if_range, const Digest& digest);

// The sequence of the change that the answer must include (Outport-Min-Sequence); 0 if the request
// names none. kInvalidArgument for text that is not a number.
Result<uint64_t> ParseMinSequence(const RequestHead& head);

// Sets Age and Warning for a stale answer; sets nothing for a fresh one.
void SetStaleness(Response& response, const std::optional<Staleness>& stale);

}  // namespace outport::http
