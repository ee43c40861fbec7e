#include <map>
#include <set>

#include "tests/storage/durability.h"
#include "tests/store/uploads/uploads_fixture.h"

namespace outport::store {
namespace {

const std::string kPieces[] = {"one ", "two ", "three"};

std::string Whole(const std::string& start) { return start + kPieces[0] + kPieces[1] + kPieces[2]; }

// A store with upload sessions on a disk that simulates power cuts.
class Store {
 public:
  Store(const std::filesystem::path& root, FaultDisk& disk, const std::string& boot_id)
      : content_(root, disk.files(), disk.env()) {
    content_.keep_uploads = true;
    opened_ = content_.Open();
    if (!opened_.has_value()) return;
    uploads_.emplace(Uploads::Parts{.meta = *content_.meta,
                                    .bytes = *content_.bytes,
                                    .blobs = content_.content->blobs,
                                    .disk = io_.pool(),
                                    .clock = content_.clock,
                                    .store_clock = content_.store_clock,
                                    .owner = *content_.owner,
                                    .metrics = metrics_,
                                    .log = Log::Nowhere(),
                                    .boot_id = boot_id,
                                    .limits = {.max_uncheckpointed_bytes = 1}});
    opened_ = uploads_->Load();
  }
  ~Store() { io_.Stop(); }

  const Result<void>& opened() const { return opened_; }
  TestContent& content() { return content_; }
  std::string Start() {
    const auto started = io_.Await(uploads_->Start(kAnn, Repo("a"), DigestAlgorithm::kSha256));
    return started.has_value() ? started->id : "";
  }
  Result<UploadStatus> Append(const std::string& id, const std::string& text) {
    ScriptedBody body(text, text.size());
    return io_.Await(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, body));
  }
  Result<PushedBlob> Finish(const std::string& id, const std::string& whole,
                            const std::string& rest = "") {
    ScriptedBody body(rest, rest.size());
    return io_.Await(uploads_->Finish(kAnn, Repo("a"), id, std::nullopt, Sha256(whole), body));
  }
  Result<UploadStatus> Stat(const std::string& id) { return uploads_->Stat(kAnn, Repo("a"), id); }

 private:
  TestContent content_;
  Metrics metrics_;
  Result<void> opened_;
  IoThread io_;
  std::optional<Uploads> uploads_;
};

// One session is finished, another one is left open. Each chunk is checkpointed.
class SessionCase final : public DurabilityCase {
 public:
  explicit SessionCase(std::filesystem::path root) : root_(std::move(root)) {}

  void Work(FaultDisk& disk) override {
    Store store(root_, disk, "first");
    if (!store.opened().has_value()) return;
    for (const std::string& start : {"finished " + serial_, "open " + serial_}) {
      const std::string id = store.Start();
      if (id.empty()) return;
      if (!Send(store, id, start)) return;
      if (start.starts_with("open")) return;
      closing_.insert(id);
      const std::string whole = Whole(start);
      if (!store.Finish(id, whole).has_value()) return;
      blobs_.push_back(whole);
    }
  }

  Losses Look(FaultDisk& disk) override {
    Losses losses;
    Store store(root_, disk, "second");
    if (!store.opened().has_value()) return {store.opened().error().message};
    for (const std::string& whole : blobs_) {
      const auto bytes = store.content().PullBlob("a", Sha256(whole));
      if (!bytes.has_value() || *bytes != whole) losses.push_back("the blob of " + whole);
    }
    for (const auto& [id, sent] : acknowledged_) {
      if (!closing_.contains(id)) LookFor(store, id, sent, losses);
    }
    return losses;
  }

 private:
  struct Sent {
    std::string start;
    uint64_t size_bytes = 0;
  };

  bool Send(Store& store, const std::string& id, const std::string& start) {
    for (const std::string& piece : {start, kPieces[0], kPieces[1], kPieces[2]}) {
      const auto appended = store.Append(id, piece);
      if (!appended.has_value()) return false;
      acknowledged_[id] = {start, appended->size_bytes};
    }
    return true;
  }

  // The client asks how much its session has received, and continues.
  static void LookFor(Store& store, const std::string& id, const Sent& sent, Losses& losses) {
    const std::string whole = Whole(sent.start);
    const auto stands = store.Stat(id);
    if (!stands.has_value()) {
      losses.push_back("the session of " + sent.start + ": " + stands.error().message);
      return;
    }
    if (stands->size_bytes < sent.size_bytes || stands->size_bytes > whole.size()) {
      losses.push_back(sent.start + " stands at " + std::to_string(stands->size_bytes));
      return;
    }
    const auto pushed = store.Finish(id, whole, whole.substr(stands->size_bytes));
    if (!pushed.has_value()) losses.push_back(sent.start + ": " + pushed.error().message);
  }

  const std::filesystem::path root_;
  const std::string serial_ = RandomHex(4);
  std::map<std::string, Sent> acknowledged_;
  std::set<std::string> closing_;  // a finish was requested: open, or removed
  std::vector<std::string> blobs_;
};

std::unique_ptr<DurabilityCase> MakeSessionCase(const std::filesystem::path& root) {
  return std::make_unique<SessionCase>(root);
}

TEST(UploadSessionsSurviveAPowerCut, UpToTheChunkThatWasAcknowledged) {
  ExpectNothingLostAtAnyCut(&MakeSessionCase, Loss::kAllUnsynced);
  ExpectNothingLostAtAnyCut(&MakeSessionCase, Loss::kTornFiles);
}

TEST(UploadSessionsSurviveAPowerCut, OnlyByEachSync) {
  ExpectLossIfIgnored(&MakeSessionCase, "that of the bytes", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFile && point.path.parent_path().filename() == "uploads";
  });
  ExpectLossIfIgnored(&MakeSessionCase, "that of the folder", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFolder && point.path.filename() == "uploads";
  });
  ExpectLossIfIgnored(&MakeSessionCase, "that of the rows", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFile && point.path.extension() == ".log";
  });
}

}  // namespace
}  // namespace outport::store
