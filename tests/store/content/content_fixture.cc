#include "tests/store/content/content_fixture.h"

#include <utility>

namespace outport::store {
namespace {

std::string DescriptorJson(std::string_view media_type, const std::string& content) {
  return R"({"mediaType":")" + std::string(media_type) + R"(","digest":")" +
         Sha256(content).ToString() + R"(","size":)" + std::to_string(content.size()) + "}";
}

}  // namespace

std::string ImageManifest(const std::vector<std::string>& blobs, const std::string& extra) {
  std::string layers;
  for (size_t i = 1; i < blobs.size(); ++i) {
    layers +=
        (i > 1 ? "," : "") + DescriptorJson("application/vnd.oci.image.layer.v1.tar", blobs[i]);
  }
  return R"({"schemaVersion":2,"mediaType":")" + std::string(media_type::kOciManifest) +
         R"(","config":)" + DescriptorJson("application/vnd.oci.image.config.v1+json", blobs[0]) +
         R"(,"layers":[)" + layers + "]" + extra + "}";
}

std::string IndexManifest(const std::vector<std::string>& manifests) {
  std::string children;
  for (const std::string& manifest : manifests) {
    children += (children.empty() ? "" : ",") + DescriptorJson(media_type::kOciManifest, manifest);
  }
  return R"({"schemaVersion":2,"mediaType":")" + std::string(media_type::kOciIndex) +
         R"(","manifests":[)" + children + "]}";
}

std::string OuterIndex(const std::vector<std::string>& inner, const std::string& note) {
  std::string members;
  for (const std::string& index : inner) {
    members += (members.empty() ? "" : ",") +
               (R"({"mediaType":")" + std::string(media_type::kOciIndex)) + R"(","digest":")" +
               Sha256(index).ToString() + R"(","size":)" + std::to_string(index.size()) + "}";
  }
  return R"({"schemaVersion":2,"mediaType":")" + std::string(media_type::kOciIndex) +
         R"(","annotations":{"note":")" + note + R"("},"manifests":[)" + members + "]}";
}

std::string SubjectJson(const Digest& subject) {
  return R"(,"subject":{"mediaType":")" + std::string(media_type::kOciManifest) +
         R"(","digest":")" + subject.ToString() + R"(","size":6})";
}

std::vector<std::filesystem::path> FilesUnder(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, ignored)) {
    if (entry.is_regular_file()) found.push_back(entry.path());
  }
  return found;
}

TestContent::TestContent()
    : folder_(std::make_unique<TemporaryFolder>()),
      files_(real_files_),
      env_(nullptr),
      root(folder_->path()) {
  const Result<void> opened = Open();
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
}

TestContent::TestContent(std::filesystem::path path, FileSystem& files, rocksdb::Env* env)
    : files_(files), env_(env), root(std::move(path)) {}

Result<void> TestContent::Open() {
  TRY(meta, OpenRocksMetaStore({.folder = root / "meta", .env = env_}, Log::Nowhere()));
  TRY(bytes, DiskBlobStore::Open(files_, root, "uploads", BlobWrites::kDirect));
  owner = std::make_unique<Owner>(*meta, store_clock, Owner::Access::kExclusive);
  TRY_VOID(owner->Renew());
  content = std::make_unique<Content>(Blobs::Parts{.meta = *meta,
                                                   .bytes = *bytes,
                                                   .clock = clock,
                                                   .store_clock = store_clock,
                                                   .owner = *owner,
                                                   .times = times,
                                                   .metrics = metrics,
                                                   .log = Log::Nowhere()});
  if (!keep_uploads) TRY_VOID(bytes->DiscardUncommitted({}));
  TRY(const size_t settled, content->blobs.SettleIntents());
  static_cast<void>(settled);
  return {};
}

void TestContent::Close() {
  content.reset();
  owner.reset();
  bytes.reset();
  meta.reset();
}

void TestContent::Reopen() {
  Close();
  const Result<void> opened = Open();
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
}

Result<PushedBlob> TestContent::PushBlob(const std::string& repository, const std::string& text) {
  return PushBlobAs(repository, text, Sha256(text));
}

Result<PushedBlob> TestContent::PushBlobAs(const std::string& repository, const std::string& text,
                                           const Digest& digest) {
  const std::string name = RandomHex(8);
  TRY(const std::unique_ptr<BlobWriter> writer, bytes->Create(digest.algorithm(), name));
  TRY_VOID(writer->Append(AsBytes(text)));
  Result<PushedBlob> pushed = content->blobs.Commit(Repo(repository), *writer, digest, kAnn);
  if (pushed.has_value()) TRY_VOID(bytes->Discard(name));
  return pushed;
}

Result<PushedManifest> TestContent::PushManifest(const std::string& repository,
                                                 const std::string& reference,
                                                 const std::string& body) {
  return content->manifests.Put(Repo(repository), Ref(reference), "", {}, body, kAnn);
}

Result<PushedManifest> TestContent::PushImage(const std::string& repository, const std::string& tag,
                                              const std::vector<std::string>& blobs) {
  for (const std::string& blob : blobs) {
    TRY(const PushedBlob pushed, PushBlob(repository, blob));
  }
  return PushManifest(repository, tag, ImageManifest(blobs));
}

Result<PushedManifest> TestContent::PushTagged(const std::string& repository,
                                               const std::string& body,
                                               const std::vector<std::string>& tags) {
  std::vector<Tag> parsed;
  for (const std::string& tag : tags) parsed.push_back(*Tag::Parse(tag));
  return content->manifests.Put(Repo(repository), Sha256(body), "", parsed, body, kAnn);
}

Result<Deleted> TestContent::DeleteManifest(const std::string& repository,
                                            const std::string& reference) {
  return content->manifests.Delete(Repo(repository), Ref(reference), kAnn);
}

Result<Deleted> TestContent::DeleteBlob(const std::string& repository, const std::string& text) {
  return content->links.Remove(Repo(repository), Sha256(text), kAnn);
}

Result<PushedBlob> TestContent::Mount(const std::string& repository, const std::string& text,
                                      const std::string& from, const Visible& visible) {
  std::optional<RepositoryName> wanted;
  if (!from.empty()) wanted = Repo(from);
  TRY(const RepositoryName source,
      content->links.FindSource(Repo(repository), Sha256(text), wanted, visible));
  return content->links.Mount(Repo(repository), Sha256(text), source, kAnn);
}

std::vector<Digest> TestContent::Referrers(const std::string& repository, const Digest& subject) {
  std::vector<Digest> digests;
  const auto page =
      content->referrers.List(Repo(repository), subject, "", {.last = "", .limit = kMaxPage});
  EXPECT_TRUE(page.has_value());
  if (page.has_value()) {
    for (const ReferrerInfo& referrer : page->items) digests.push_back(referrer.digest);
  }
  return digests;
}

Result<std::string> TestContent::PullBlob(const std::string& repository, const Digest& digest) {
  TRY(const Blobs::Opened opened, content->blobs.Open(Repo(repository), digest));
  std::string text(opened.blob.info.size_bytes, '\0');
  if (text.empty()) return text;
  TRY(const size_t read, opened.reader->Read(0, std::as_writable_bytes(std::span(text))));
  text.resize(read);
  return text;
}

Result<StoredManifest> TestContent::PullManifest(const std::string& repository,
                                                 const std::string& reference) {
  return content->manifests.Get(Repo(repository), Ref(reference));
}

}  // namespace outport::store
