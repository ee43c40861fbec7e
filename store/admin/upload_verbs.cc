#include "store/admin/upload_verbs.h"

#include <boost/asio/awaitable.hpp>
#include <utility>

#include "store/admin/paging.h"

namespace outport::store {

Result<v1::ListUploadsResponse> UploadVerbs::List(const v1::ListUploadsRequest& request) const {
  TRY(const RowPage<Uploads::Overview> page,
      uploads_.List(request.page().after(), LimitOf(request.page())));
  v1::ListUploadsResponse response;
  for (const Uploads::Overview& upload : page.rows) {
    v1::UploadInfo& info = *response.add_uploads();
    info.set_id(upload.id);
    info.set_repository(upload.repository);
    info.set_user(upload.user);
    info.set_started_ms(upload.started_ms);
    info.set_used_ms(upload.used_ms);
    info.set_size_bytes(upload.size_bytes);
    info.set_expires_ms(upload.expires_ms);
    info.set_active(upload.active);
    info.set_owner(upload.owner);
    info.set_owner_ended(upload.owner_ended);
  }
  response.set_next(page.next);
  return response;
}

Awaitable<Result<v1::AdminCancelUploadResponse>> UploadVerbs::Cancel(
    v1::AdminCancelUploadRequest request, Administrator by) const {
  CO_TRY(const Uploads::Cancelled cancelled,
         co_await uploads_.CancelAny(request.id(), std::move(by.actor)));
  v1::AdminCancelUploadResponse response;
  response.set_size_bytes(cancelled.size_bytes);
  response.set_owner(cancelled.owner);
  co_return response;
}

}  // namespace outport::store
