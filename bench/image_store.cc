#include "bench/image_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "registry/oci/manifest.h"
#include "registry/records/rows.h"
#include "registry/storage/checksums.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/content/manifest_push.h"
#include "store/content/repositories.h"
#include "store/gc/runs.h"

namespace outport::store {
namespace {

constexpr int kImagesAtOnce = 100;  // in one commit
const Actor kPusher{.kind = "user", .name = "bench"};

Digest Sha256(const std::string& text) {
  return Digest::Of(DigestAlgorithm::kSha256, AsBytes(text));
}

Image::Blob MakeBlob(int image, int number) {
  std::string text = "blob " + std::to_string(number) + " of image " + std::to_string(image);
  text.resize(Image::kBlobBytes, '.');
  Digest digest = Sha256(text);
  std::string object = DiskBlobFolder::NewObject(digest, "bench");
  return {.text = std::move(text), .digest = std::move(digest), .object = std::move(object)};
}

std::vector<Image::Blob> MakeBlobs(int image) {
  std::vector<Image::Blob> blobs;
  blobs.reserve(Image::kBlobs);
  for (int i = 0; i < Image::kBlobs; ++i) blobs.push_back(MakeBlob(image, i));
  return blobs;
}

std::string DescriptorJson(std::string_view media_type, const Image::Blob& blob) {
  return R"({"mediaType":")" + std::string(media_type) + R"(","digest":")" +
         blob.digest.ToString() + R"(","size":)" + std::to_string(blob.text.size()) + "}";
}

std::string ManifestJson(const std::vector<Image::Blob>& blobs) {
  std::string layers;
  for (size_t i = 1; i < blobs.size(); ++i) {
    layers += (i > 1 ? "," : "") +
              DescriptorJson("application/vnd.oci.image.layer.v1.tar+gzip", blobs[i]);
  }
  return R"({"schemaVersion":2,"mediaType":")" + std::string(media_type::kOciManifest) +
         R"(","config":)" +
         DescriptorJson("application/vnd.oci.image.config.v1+json", blobs.front()) +
         R"(,"layers":[)" + layers + "]}";
}

// Runs `add` for images in transactions of kImagesAtOnce.
template <class Add>
void InBatches(MetaStore& meta, int first, int count, Add add) {
  for (int begin = first; begin < first + count; begin += kImagesAtOnce) {
    const std::unique_ptr<MetaTransaction> transaction = meta.Begin();
    const int end = std::min(begin + kImagesAtOnce, first + count);
    for (int i = begin; i < end; ++i) add(*transaction, Image(i));
    Must(transaction->Commit(MetaTransaction::Durability::kBuffered), "a commit");
  }
}

void WriteFile(const std::filesystem::path& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  const bool written =
      file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || ::close(file) != 0) {
    std::perror(path.c_str());
    std::exit(1);
  }
}

}  // namespace

Image::Image(int number)
    : repository(Must(RepositoryName::Parse("team/app" + std::to_string(number / kInOneRepository)),
                      "a name")),
      blobs(MakeBlobs(number)),
      manifest(ManifestJson(blobs)),
      digest(Sha256(manifest)) {}

ImageStore::ImageStore(std::filesystem::path folder, std::chrono::hours ahead)
    : clock(ahead), folder_(std::move(folder)), log_(Log::ToStandardError(LogLevel::kWarning)) {
  std::filesystem::create_directories(folder_);
  meta_ = Must(OpenRocksMetaStore({.folder = folder_ / "meta"}, log_), "opening the metadata");
  bytes_ = Must(DiskBlobStore::Open(files_, folder_, "uploads", BlobWrites::kDirect),
                "opening the blob folder");
  owner_ = std::make_unique<Owner>(*meta_, store_clock_, Owner::Access::kExclusive);
  Must(owner_->Renew(), "the lease of the process");
  content_ = std::make_unique<Content>(Blobs::Parts{.meta = *meta_,
                                                    .bytes = *bytes_,
                                                    .clock = clock,
                                                    .store_clock = store_clock_,
                                                    .owner = *owner_,
                                                    .metrics = metrics_,
                                                    .log = log_});
  settled = Must(content_->blobs.SettleIntents(), "settling unfinished removals");
  collector = std::make_unique<Collector>(Collector::Parts{.meta = *meta_,
                                                           .bytes = *bytes_,
                                                           .clock = clock,
                                                           .store_clock = store_clock_,
                                                           .owner = *owner_,
                                                           .metrics = metrics_,
                                                           .log = log_,
                                                           .limits = {.max_rate = 1'000'000'000}});
}

ImageStore::~ImageStore() { collector->Stop(); }

// The rows of a pushed blob: see Blobs::Link.
void ImageStore::LinkBlobs(MetaTransaction& transaction, const Image& image) {
  const Collection collection({}, store_clock_.NowMs());
  const Auditor auditor(kPusher, clock);
  for (const Image::Blob& blob : image.blobs) {
    BlockChecksums checksums;
    checksums.Update(AsBytes(blob.text));
    v1::BlobRow row;
    row.set_size_bytes(blob.text.size());
    row.set_object(blob.object);
    for (const uint32_t checksum : checksums.All()) row.add_checksums(checksum);
    Must(WriteRow(transaction, keys::Blob(blob.digest), row), "writing a blob's row");
    Must(WriteLink(transaction, image.repository, blob.digest, blob.text.size(), collection,
                   auditor, "blob.push"),
         "writing a link");
  }
}

void ImageStore::PushManifest(MetaTransaction& transaction, const Image& image) {
  const Collection collection({}, store_clock_.NowMs());
  const Auditor auditor(kPusher, clock);
  const Manifest manifest = Must(Manifest::Parse(image.manifest, ""), "parsing a manifest");
  const std::vector<Tag> tags = {Must(Tag::Parse("v" + image.digest.hex().substr(0, 16)), "a tag")};
  const ManifestPush push({.repository = image.repository,
                           .manifest = manifest,
                           .digest = image.digest,
                           .tags = tags,
                           .body = image.manifest,
                           .collection = collection,
                           .auditor = auditor});
  Must(push.Run(transaction), "writing a manifest");
}

void ImageStore::WriteFiles(int first, int count) const {
  std::set<std::filesystem::path> known;
  for (int number = first; number < first + count; ++number) {
    for (const Image::Blob& blob : MakeBlobs(number)) {
      const std::filesystem::path path = folder_ / "blobs" / blob.object;
      if (known.insert(path.parent_path()).second) {
        std::filesystem::create_directories(path.parent_path());
      }
      WriteFile(path, blob.text);
    }
  }
}

void ImageStore::PushBlobs(int first, int count) {
  std::jthread files([&] { WriteFiles(first, count); });
  InBatches(*meta_, first, count,
            [this](auto& transaction, const Image& image) { LinkBlobs(transaction, image); });
  // There are no rows of earlier releases, so the collector need not look for their garbage.
  Must(Transact(*meta_,
                [](MetaTransaction& transaction) -> Result<void> {
                  TRY(auto row, LockRow<v1::CollectorRow>(transaction, keys::kCollector));
                  if (!row.has_value()) row.emplace();
                  row->set_scanned(true);
                  return WriteRow(transaction, keys::kCollector, *row);
                }),
       "a commit");
}

void ImageStore::Push(int first, int count) {
  PushBlobs(first, count);
  InBatches(*meta_, first, count,
            [this](auto& transaction, const Image& image) { PushManifest(transaction, image); });
}

void ImageStore::Delete(const Image& image) {
  Must(content_->manifests.Delete(image.repository, image.digest, kPusher), "deleting a manifest");
}

bool ImageStore::Step() {
  constexpr std::chrono::seconds kFailed{5};
  const std::chrono::milliseconds wait = collector->Step();
  if (wait == kFailed) {
    std::fprintf(stderr, "a step of the collector failed\n");
    std::exit(1);
  }
  return wait < kFailed;
}

std::vector<v1::RunRow> ImageStore::Runs() const {
  const v1::ListRunsResponse listed = Must(collector->ListRuns({}), "listing the runs");
  return {listed.runs().begin(), listed.runs().end()};
}

v1::RunCounts ImageStore::Removed() const {
  v1::RunCounts sum;
  for (const v1::RunRow& run : Runs()) Add(sum, run.removed());
  return sum;
}

v1::RunCounts ImageStore::Freed() const {
  v1::RunCounts sum;
  for (const v1::RunRow& run : Runs()) Add(sum, run.freed());
  return sum;
}

bool ImageStore::IsRemoving() const {
  return !Must(meta_->Scan({.prefix = std::string(keys::kIntents), .limit = 1}), "a scan").empty();
}

bool ImageStore::HasFile(const Image::Blob& blob) const {
  return std::filesystem::exists(folder_ / "blobs" / blob.object);
}

}  // namespace outport::store
