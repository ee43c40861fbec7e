#include <boost/json/object.hpp>

#include "control/commands/commands.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/units.h"
#include "outport/v1/content.grpc.pb.h"

namespace outport::control {
namespace {

using Stub = v1::Content::Stub;

Result<void> List(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  Table table({"id", "repository", "user", "started", "used", "size_bytes", "expires", "active",
               "owner", "owner_ended"});
  const auto add = [&table](const v1::UploadInfo& upload) {
    table.Add({boost::json::value(upload.id()), boost::json::value(upload.repository()),
               boost::json::value(upload.user()), boost::json::value(ToTime(upload.started_ms())),
               boost::json::value(ToTime(upload.used_ms())),
               boost::json::value(upload.size_bytes()),
               boost::json::value(ToTime(upload.expires_ms())), boost::json::value(upload.active()),
               boost::json::value(upload.owner()), boost::json::value(upload.owner_ended())});
  };
  TRY_VOID(client.ForEachRow(&Stub::ListUploads, v1::ListUploadsRequest(),
                             &v1::ListUploadsResponse::uploads, "listing the uploads", add));
  invocation.Print(table);
  return {};
}

bool IsUploadId(const std::string& text) {
  constexpr size_t kHexDigits = 32;
  return text.size() == kHexDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Result<void> Cancel(const Invocation& invocation, const std::string& id) {
  if (!IsUploadId(id)) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + id +
                     "' is not the id of an upload session, which has 32 hex digits; 'outportctl "
                     "upload list' lists the ids"};
  }
  TRY(StoreClient client, invocation.Connect());
  v1::AdminCancelUploadRequest request;
  request.set_id(id);
  v1::AdminCancelUploadResponse response;
  TRY_VOID(client.Call(&Stub::CancelUpload, request, response, "cancelling upload '" + id + "'"));
  const std::string size = SizeText(response.size_bytes());
  const std::string what = response.owner().empty()
                               ? size + " freed"
                               : "its process, " + response.owner() + ", frees " + size + " soon";
  invocation.Print(
      {{"id", id}, {"freed_bytes", response.size_bytes()}, {"owner", response.owner()}},
      "upload '" + id + "' cancelled; " + what);
  return {};
}

}  // namespace

void AddUploadCommands(const Command& app) {
  const Command family = app.AddFamily("upload", "List and cancel upload sessions");
  family
      .AddCommand(
          "list",
          "List the open upload sessions: who pushes where, how many bytes have arrived, and\n"
          "when the store drops the session if nobody uses it. 'owner' is the store process that\n"
          "has the session; 'owner_ended' says that it has ended, and no other one goes on yet.\n"
          "  outportctl upload list")
      .Run(List);
  auto cancelled = std::make_shared<std::string>();  // shared with the callback
  const Command cancel = family.AddCommand(
      "cancel",
      "End an upload session and free its bytes. The client must start the push of this blob\n"
      "again; most clients do so by themselves.\n"
      "  outportctl upload cancel 6f1d2c3b4a5968770f1e2d3c4b5a6978");
  cancel.AddOption("ID", *cancelled, "Id of the session, from 'upload list'").Required().NotEmpty();
  cancel.Run(cancelled, Cancel);
}

}  // namespace outport::control
