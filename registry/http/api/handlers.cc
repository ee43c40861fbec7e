#include "registry/http/api/handlers.h"

namespace outport::http {

Handler FindHandler(Noun noun, Method method) {
  switch (noun) {
    case Noun::kPing:
      return &GetPing;
    case Noun::kCatalog:
      return &GetCatalog;
    case Noun::kTags:
      return &GetTags;
    case Noun::kManifest:
      if (method == Method::kDelete) return &DeleteManifest;
      return method == Method::kPut ? &PutManifest : &GetManifest;
    case Noun::kReferrers:
      return &GetReferrers;
    case Noun::kBlob:
      return method == Method::kDelete ? &DeleteBlob : &GetBlob;
    case Noun::kUploads:
      return &StartUpload;
    case Noun::kUpload:
      break;
  }
  if (method == Method::kPatch) return &AppendUpload;
  if (method == Method::kPut) return &FinishUpload;
  return method == Method::kDelete ? &CancelUpload : &GetUpload;
}

}  // namespace outport::http
