#include <set>

#include "registry/records/rows.h"
#include "tests/store/content/content_fixture.h"
#include "tests/store/content/index_check.h"
#include "tests/store/content/replay.h"
#include "tests/support/fault_disk.h"

namespace outport::store {
namespace {

using Problems = std::vector<std::string>;

// The pushes and deletions that clients got an acknowledgement for.
struct Acknowledged {
  std::vector<std::string> blobs;  // their bytes
  std::vector<std::string> mounted;
  std::map<std::string, std::string> tags;
  std::vector<std::string> gone;  // references
  std::vector<std::string> gone_blobs;
  uint64_t sequence = 0;
};

// A client that pushes two blobs, an image of them, another image under the same tag, and the first
// image again. Stops at the first push that fails.
void Push(TestContent& store, Acknowledged& acknowledged) {
  const auto blob = [&](const std::string& bytes) {
    const auto pushed = store.PushBlob("team/app", bytes);
    if (!pushed.has_value()) return false;
    acknowledged.blobs.push_back(bytes);
    acknowledged.sequence = pushed->sequence;
    return true;
  };
  const auto image = [&](const std::vector<std::string>& blobs) {
    const auto pushed = store.PushManifest("team/app", "v1", ImageManifest(blobs));
    if (!pushed.has_value()) return false;
    acknowledged.tags["v1"] = ImageManifest(blobs);
    acknowledged.sequence = pushed->sequence;
    return true;
  };
  static_cast<void>(blob("config") && blob("layer") && image({"config", "layer"}) &&
                    image({"config"}) && blob("layer") && image({"config", "layer"}));
}

// A client that pushes an image with two tags, mounts its blob elsewhere, and then deletes
// everything. Stops at the first request that fails; that request may or may not have an effect.
void PushAndDelete(TestContent& store, Acknowledged& acknowledged) {
  const std::string image = ImageManifest({"config"});
  const std::string digest = Sha256(image).ToString();
  const auto done = [&](const auto& result) {
    if (result.has_value()) acknowledged.sequence = result->sequence;
    return result.has_value();
  };
  if (!done(store.PushBlob("team/app", "config"))) return;
  acknowledged.blobs = {"config"};
  if (!done(store.PushTagged("team/app", image, {"v1", "v2"}))) return;
  acknowledged.tags = {{"v1", image}, {"v2", image}};
  if (!done(store.Mount("team/other", "config", "team/app"))) return;
  acknowledged.mounted = {"config"};
  acknowledged.tags.erase("v1");
  if (!done(store.DeleteManifest("team/app", "v1"))) return;
  acknowledged.gone = {"v1"};
  acknowledged.tags.clear();
  if (!done(store.DeleteManifest("team/app", digest))) return;
  acknowledged.gone = {"v1", "v2", digest};
  acknowledged.blobs.clear();
  if (!done(store.DeleteBlob("team/app", "config"))) return;
  acknowledged.gone_blobs = {"config"};
}

// A blob that a repository links must exist and be complete.
void CheckBlob(TestContent& store, const std::string& repository, const Digest& digest,
               Problems& problems) {
  const auto bytes = store.PullBlob(repository, digest);
  if (!bytes.has_value()) {
    problems.push_back("blob: " + bytes.error().message);
  } else if (Digest::Of(digest.algorithm(), AsBytes(*bytes)) != digest) {
    problems.push_back("blob " + digest.ToString() + " has other bytes");
  }
}

void CheckManifest(TestContent& store, const std::string& repository, const std::string& reference,
                   Problems& problems) {
  const auto stored = store.PullManifest(repository, reference);
  if (!stored.has_value()) {
    problems.push_back("manifest: " + stored.error().message);
    return;
  }
  const auto manifest = Manifest::Parse(stored->body, stored->info.media_type);
  if (!manifest.has_value()) {
    problems.push_back("manifest: " + manifest.error().message);
    return;
  }
  for (const Descriptor& blob : manifest->blobs) {
    CheckBlob(store, repository, blob.digest, problems);
  }
}

// Nothing visible is partial, and the disk has no object that no row names.
void CheckWhatIsVisible(TestContent& store, Problems& problems) {
  const auto rows = [&](std::string_view prefix) {
    return *store.meta->Scan({.prefix = std::string(prefix), .after = {}});
  };
  const auto parts = [](const KeyValue& row, std::string_view prefix) {
    const std::string_view rest = keys::After(row.key, prefix);
    const size_t end = rest.find(keys::kSeparator);
    return std::pair(std::string(rest.substr(0, end)), std::string(rest.substr(end + 1)));
  };
  for (const KeyValue& row : rows(keys::kLinks)) {
    const auto [repository, digest] = parts(row, keys::kLinks);
    CheckBlob(store, repository, *Digest::Parse(digest), problems);
  }
  for (const std::string_view prefix : {keys::kManifests, keys::kTags}) {
    for (const KeyValue& row : rows(prefix)) {
      const auto [repository, reference] = parts(row, prefix);
      CheckManifest(store, repository, reference, problems);
    }
  }
  if (!rows(keys::kIntents).empty()) problems.push_back("an intent is left");
  std::set<std::string> named;
  for (const KeyValue& row : rows(keys::kBlobs)) {
    named.insert(ParseRow<v1::BlobRow>(row.key, row.value)->object());
  }
  for (const auto& path : store.Files("blobs")) {
    const std::string object = path.lexically_relative(store.root / "blobs").native();
    const bool known =
        std::ranges::any_of(named, [&](const std::string& name) { return name.ends_with(object); });
    if (!known) problems.push_back("no row names the object " + object);
  }
  if (!store.Files("uploads").empty()) problems.push_back("an upload is left");
  if (ReplayLog(*store.meta) != ScanState(*store.meta)) {
    problems.push_back("the log tells another state");
  }
  for (std::string& problem : ProblemsOfIndexes(*store.meta)) {
    problems.push_back(std::move(problem));
  }
}

Problems Check(TestContent& store, const Acknowledged& acknowledged) {
  Problems problems;
  for (const std::string& bytes : acknowledged.blobs) {
    CheckBlob(store, "team/app", Sha256(bytes), problems);
  }
  for (const auto& [tag, body] : acknowledged.tags) {
    // A push that was not acknowledged may have moved the tag, but the tag's manifest exists.
    CheckManifest(store, "team/app", Sha256(body).ToString(), problems);
    CheckManifest(store, "team/app", tag, problems);
  }
  for (const std::string& bytes : acknowledged.mounted) {
    CheckBlob(store, "team/other", Sha256(bytes), problems);
  }
  for (const std::string& reference : acknowledged.gone) {
    const auto stored = store.PullManifest("team/app", reference);
    if (stored.has_value()) problems.push_back("deleted, but here: " + reference);
  }
  for (const std::string& bytes : acknowledged.gone_blobs) {
    const auto stored = store.PullBlob("team/app", Sha256(bytes));
    if (stored.has_value()) problems.push_back("deleted, but here: the blob " + bytes);
  }
  if (store.Head() < acknowledged.sequence) problems.push_back("acknowledged changes are gone");
  CheckWhatIsVisible(store, problems);
  return problems;
}

// The disk reports these syncs as done and ignores them: number `first` to number `last`; 0: none.
struct Lie {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t point = 0;  // of the first, among all fault points; counted from 1
  std::string what;
};

// One entry for each synced file or folder. Two syncs of a folder in a row are one entry: the
// second one is for an earlier process that died after it created the folder. The folder of the
// metadata was synced when the store was opened; RocksDB syncs it again without need.
std::vector<Lie> LiesAbout(const std::vector<FaultPoint>& history) {
  std::vector<Lie> lies;
  const FaultPoint* before = nullptr;
  uint64_t syncs = 0;
  uint64_t points = 0;
  for (const FaultPoint& point : history) {
    ++points;
    const bool folder = point.kind == FaultKind::kSyncFolder;
    if (folder || point.kind == FaultKind::kSyncFile) {
      ++syncs;
      if (folder && before != nullptr && before->path == point.path) {
        lies.back().last = syncs;
      } else if (!folder || point.path.filename() != "meta") {
        lies.push_back({syncs, syncs, points, Describe(point)});
      }
    }
    before = &point;
  }
  return lies;
}

struct Outcome {
  Problems problems;
  uint64_t lied = 0;                // syncs that were ignored
  std::vector<FaultPoint> history;  // of the pushes
};

using Life = void (*)(TestContent& store, Acknowledged& acknowledged);

// Runs a client on a new store until a power cut at fault point number `cut` (0: at the end), opens
// the store again, and checks it.
Outcome LiveAndCut(Life live, uint64_t cut, const Lie& lie, Loss loss) {
  const TemporaryFolder folder;
  FaultDisk disk(folder.path());
  Acknowledged acknowledged;
  Outcome outcome;
  {
    TestContent store(folder.path(), disk.files(), disk.env());
    const auto opened = store.Open();
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    if (!opened.has_value()) return outcome;
    const size_t before = disk.history().size();
    disk.IgnoreSyncs([&lie, sync = uint64_t{0}](const FaultPoint&) mutable {
      ++sync;
      return sync >= lie.first && sync <= lie.last;
    });
    disk.CutAt(cut);
    live(store, acknowledged);
    outcome.history = disk.history();
    outcome.history.erase(outcome.history.begin(),
                          outcome.history.begin() + static_cast<ptrdiff_t>(before));
    outcome.lied = disk.ignored();
    disk.IgnoreSyncs({});
    disk.CutAt(1);
    store.Close();
  }
  disk.DropUnsynced(loss);
  TestContent store(folder.path(), disk.files(), disk.env());
  const auto opened = store.Open();
  if (!opened.has_value()) {
    outcome.problems.push_back("opening: " + opened.error().message);
    return outcome;
  }
  outcome.problems = Check(store, acknowledged);
  return outcome;
}

// After a power cut at any point, acknowledged pushes exist and are intact, acknowledged deletions
// hold, and nothing partial is visible.
void CutEverywhere(Life live) {
  for (const Loss loss : {Loss::kAllUnsynced, Loss::kTornFiles}) {
    const Outcome whole = LiveAndCut(live, 0, {}, loss);
    ASSERT_TRUE(whole.problems.empty()) << whole.problems.front();
    ASSERT_GT(whole.history.size(), 15u);
    for (uint64_t cut = 1; cut <= whole.history.size(); ++cut) {
      const Outcome outcome = LiveAndCut(live, cut, {}, loss);
      ASSERT_TRUE(outcome.problems.empty())
          << "the power went at point " << cut << " ("
          << (outcome.history.empty() ? "" : Describe(outcome.history.back()))
          << "): " << outcome.problems.front();
    }
  }
}

// 201 means durable.
TEST(I2AcknowledgedIsDurable, AfterAPowerCutAtAnyPoint) { CutEverywhere(Push); }

// So does the 201 of a mount. The 202 of a deletion means that the deletion is durable.
TEST(I2AcknowledgedIsDurable, MountsAndDeletionsToo) { CutEverywhere(PushAndDelete); }

// The tests above can fail: if any one sync is ignored, some power cut loses data.
TEST(I2AcknowledgedIsDurable, EverySyncIsNeeded) {
  const Outcome whole = LiveAndCut(Push, 0, {}, Loss::kAllUnsynced);
  const std::vector<Lie> lies = LiesAbout(whole.history);
  ASSERT_GT(lies.size(), 8u);
  for (const Lie& lie : lies) {
    bool noticed = false;
    for (uint64_t cut = lie.point; cut <= whole.history.size() + 1 && !noticed; ++cut) {
      const bool at_the_end = cut > whole.history.size();
      const Outcome outcome = LiveAndCut(Push, at_the_end ? 0 : cut, lie, Loss::kAllUnsynced);
      noticed = outcome.lied > 0 && !outcome.problems.empty();
    }
    EXPECT_TRUE(noticed) << "nobody misses: " << lie.what;
  }
}

// A failed write of the metadata may be on the disk. Then the bytes that its rows name must exist;
// otherwise a later push would skip them.
TEST(I2AcknowledgedIsDurable, AWriteThatFailedMayHaveHappened) {
  for (uint64_t cut = 1;; ++cut) {
    SCOPED_TRACE("the metadata fails from point " + std::to_string(cut) + " on");
    const TemporaryFolder folder;
    FaultDisk disk(folder.path());
    PosixFileSystem files;  // the files of the blobs still work
    bool failed = false;
    {
      TestContent store(folder.path(), files, disk.env());
      ASSERT_TRUE(store.Open().has_value());
      disk.CutAt(cut);
      failed = !store.PushBlob("team/app", "layer").has_value();
      disk.CutAt(0);
      store.Close();
    }
    disk.Restart();
    TestContent store(folder.path(), files, disk.env());
    ASSERT_TRUE(store.Open().has_value());
    Problems problems;
    CheckWhatIsVisible(store, problems);
    EXPECT_TRUE(problems.empty()) << problems.front();
    if (failed) continue;
    EXPECT_GT(cut, 4u) << "two transactions are written and synced";
    return;
  }
}

}  // namespace
}  // namespace outport::store
