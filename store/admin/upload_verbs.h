#pragma once

#include "outport/v1/content.pb.h"
#include "registry/base/awaitable.h"
#include "registry/base/result.h"
#include "store/fleet/administrator.h"
#include "store/uploads/uploads.h"

namespace outport::store {

// Implements the operations of administrators on upload sessions. Safe for several threads.
class UploadVerbs {
 public:
  explicit UploadVerbs(Uploads& uploads) : uploads_(uploads) {}  // outlives this object

  // Blocks.
  Result<v1::ListUploadsResponse> List(const v1::ListUploadsRequest& request) const;
  // May wait for a request that uses the session.
  Awaitable<Result<v1::AdminCancelUploadResponse>> Cancel(v1::AdminCancelUploadRequest request,
                                                          Administrator by) const;

 private:
  Uploads& uploads_;
};

}  // namespace outport::store
