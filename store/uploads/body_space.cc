#include "store/uploads/body_space.h"

#include <algorithm>

namespace outport::store {
namespace {

Pusher PusherOf(const UploadSession& session) {
  return {.user = session.user, .repository = session.repository.ToString()};
}

}  // namespace

Result<void> BodySpace::Check(const UploadSession& session) const {
  return blobs_.RequireFreeSpace(left_.value_or(0), PusherOf(session));
}

Result<std::optional<SpaceLedger::Promise>> BodySpace::Extend(UploadSession& session,
                                                              uint64_t size) {
  BlobWriter& writer = *session.writer;
  const uint64_t begin = std::max(writer.size_bytes(), reserved_end_);
  const uint64_t end = writer.size_bytes() + size;
  const uint64_t left = std::max(left_.value_or(size), size);
  // A body whose space is reserved also checks that the headroom is left: a file system may not be
  // able to reserve space.
  SpaceLedger::Wanted wanted{.at_least = end - std::min(begin, end), .needed_bytes = left};
  wanted.at_most = wanted.at_least;
  if (end > begin) wanted.at_most += std::min({left - size, received_, kAhead});
  TRY(Promise promise, blobs_.PromiseSpace(wanted, PusherOf(session)));
  if (end <= begin) return std::optional<Promise>();
  if (promise.bytes() == wanted.at_least) return std::optional<Promise>(std::move(promise));
  const uint64_t reserved_end = begin + promise.bytes();
  const Result<void> expected = writer.Expect(reserved_end);
  if (!expected.has_value()) {
    // A file system may have reserved a part of the space.
    [[maybe_unused]] const Result<void> best_effort = writer.Expect(writer.size_bytes());
    reserved_end_ = 0;
    return expected.error();
  }
  reserved_end_ = reserved_end;
  return std::optional<Promise>();
}

// If the append fails, destroys the writer. The next request then opens a new writer with the bytes
// received so far.
Result<void> BodySpace::Append(UploadSession& session, Bytes bytes) {
  TRY(const std::optional<Promise> promise, Extend(session, bytes.size()));
  Result<void> appended = session.writer->Append(bytes);
  if (!appended.has_value()) {
    session.writer.reset();
    return appended;
  }
  session.size_bytes = session.writer->size_bytes();
  received_ += bytes.size();
  if (left_.has_value()) *left_ -= std::min<uint64_t>(*left_, bytes.size());
  return {};
}

}  // namespace outport::store
