// Measures garbage collection in stores of several sizes, in a real RocksDB and with a file for
// each blob. Each part of the benchmark runs in a process of its own, so that the memory of one
// part does not count for the next.
//
//   collection [BLOBS...]               measures; without arguments: 10000 and 100000 blobs
//   collection fill DATA BLOBS GARBAGE  adds content to a store that is stopped: BLOBS blobs of
//                                       images, and GARBAGE blobs that are due for collection
//
// A tenth as many manifests refer to the blobs. The folder is in $TMPDIR. 1,000,000 blobs need 8 GB
// of disk, 1,000,000 inodes and ten minutes.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "bench/image_store.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::steady_clock;

constexpr int kPlannedImages = 1000 / Image::kBlobs;
constexpr int kPlans = 9;
constexpr hours kPastGrace{37};
constexpr hours kPastTrash{25};
// Each part begins later than all that the parts before it have left.
constexpr hours kPlanTime{100};
constexpr hours kCollectTime{200};
constexpr hours kKillTime{400};
// Garbage that is due now, in a store that the real program opens.
constexpr hours kFillTime{-48};

class Timer {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(steady_clock::now() - began_).count();
  }

 private:
  const steady_clock::time_point began_ = steady_clock::now();
};

double ResidentMiB() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0;
  uint64_t resident = 0;
  file >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "collection: %s\n", what);
  std::exit(1);
}

// Runs `part` in a child process. The child may end itself with SIGKILL if `may_die`.
template <class Part>
void InChild(Part part, bool may_die = false) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  Require(child >= 0, "fork failed");
  if (child == 0) {
    part();
    std::fflush(stdout);
    ::_exit(0);
  }
  int status = 0;
  Require(::waitpid(child, &status, 0) == child, "waitpid failed");
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  Require((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (may_die && killed),
          "a part of the benchmark failed");
}

struct Size {
  std::filesystem::path folder;
  int blobs;
  int images() const { return blobs / Image::kBlobs; }
  // The images whose manifests the parts delete: first for the plan, then for the collection, then
  // for the kill.
  int collected() const { return std::min(2000, images() / 2); }
  int killed() const { return std::min(1000, images() / 5); }
};

// Deletes images that lie all over the store, and waits until their blobs are due.
void MakeGarbage(ImageStore& store, const Size& size, int first, int count) {
  const int used = kPlannedImages + size.collected() + size.killed();
  const int stride = size.images() / used;
  for (int i = first; i < first + count; ++i) store.Delete(Image(i * stride));
  store.clock.Advance(kPastGrace);
}

void Fill(const Size& size) {
  const Timer timer;
  ImageStore(size.folder, hours(0)).Push(0, size.images());
  std::printf("  %-28s %8.1f s\n", "filled in", timer.Seconds());
}

void MeasurePlan(const Size& size) {
  ImageStore store(size.folder, kPlanTime);
  MakeGarbage(store, size, 0, kPlannedImages);
  const double before = ResidentMiB();
  std::vector<double> took;
  for (int i = 0; i < kPlans; ++i) {
    const Timer timer;
    const auto plan = Must(store.collector->GetPlan({}), "a plan");
    took.push_back(timer.Seconds() * 1000);
    Require(plan.counts().links() == kPlannedImages * Image::kBlobs, "the plan is not complete");
  }
  const double first = took.front();
  std::ranges::sort(took);
  std::printf("  %-28s %8.1f ms, the first %.1f ms; resident %.0f MiB before, %.0f MiB after\n",
              "a plan for 1,000 blobs", took[kPlans / 2], first, before, ResidentMiB());
}

void MeasureCollection(const Size& size) {
  ImageStore store(size.folder, kCollectTime);
  MakeGarbage(store, size, kPlannedImages, size.collected());
  const uint64_t blobs = (kPlannedImages + size.collected()) * Image::kBlobs;
  const double before = ResidentMiB();
  double most = 0;
  const auto look = [&most] { most = std::max(most, ResidentMiB()); };
  const Timer to_trash;
  store.Collect(look);
  const double swept = to_trash.Seconds();
  Require(store.Removed().blobs() == blobs, "the collector left garbage");
  store.clock.Advance(kPastTrash);
  const Timer from_disk;
  store.Collect(look);
  const double freed = from_disk.Seconds();
  Require(store.Freed().blobs() == blobs, "the collector left trash");
  for (const Image::Blob& blob : Image(0).blobs) Require(!store.HasFile(blob), "a file stayed");
  const Image last(size.images() - 1);  // no part deletes it
  for (const Image::Blob& blob : last.blobs) Require(store.HasFile(blob), "a file is missing");
  std::printf("  %-28s %8.0f blobs a minute: %.1f s to the trash, %.1f s from the disk for %d\n",
              "collection", static_cast<double>(blobs) * 60 / (swept + freed), swept, freed,
              static_cast<int>(blobs));
  std::printf("  %-28s %8.0f MiB most resident, %.0f MiB before, %.0f MiB after\n", "", most,
              before, ResidentMiB());
}

// Ends itself while it removes files.
void CollectUntilKilled(const Size& size) {
  ImageStore store(size.folder, kKillTime);
  MakeGarbage(store, size, kPlannedImages + size.collected(), size.killed());
  store.Collect([] {});
  store.clock.Advance(kPastTrash);
  const std::jthread killer([&store] {
    while (!store.IsRemoving()) std::this_thread::yield();
    ::kill(::getpid(), SIGKILL);
  });
  store.Collect([] {});
  Require(false, "the collection ended before the kill");
}

// Reads the metadata from the disk, as after a start of the machine.
void Evict(const std::filesystem::path& folder) {
  ::sync();
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
}

void MeasureStart(const Size& size, const char* after) {
  Evict(size.folder / "meta");
  const Timer timer;
  const ImageStore store(size.folder, kKillTime + kPastGrace + kPastTrash);
  std::printf("  start after %-16s %8.2f s; %zu removals settled\n", after, timer.Seconds(),
              store.settled);
}

void Measure(const Size& size) {
  std::printf("%d blobs, each with a file of %zu bytes, and %d manifests\n", size.blobs,
              Image::kBlobBytes, size.images());
  InChild([&] { Fill(size); });
  InChild([&] { MeasurePlan(size); });
  InChild([&] { MeasureCollection(size); });
  InChild([&] { MeasureStart(size, "a clean stop"); });
  InChild([&] { CollectUntilKilled(size); }, true);
  InChild([&] { MeasureStart(size, "a kill"); });
}

int Number(const std::string& text) {
  const int number = std::atoi(text.c_str());
  const bool valid = number >= 0 && number % Image::kBlobs == 0;
  Require(valid, "a number of blobs is a multiple of 10");
  return number;
}

}  // namespace
}  // namespace outport::store

int main(int argc, char** argv) {
  using namespace outport::store;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 4 && words[0] == "fill") {
    ImageStore store(words[1], kFillTime);
    const int images = Number(words[2]) / Image::kBlobs;
    if (images > 0) store.Push(0, images);
    store.PushBlobs(images, Number(words[3]) / Image::kBlobs);
    return 0;
  }
  std::vector<int> sizes = {10'000, 100'000};
  if (!words.empty()) {
    sizes.clear();
    for (const std::string& word : words) sizes.push_back(Number(word));
  }
  for (const int blobs : sizes) {
    Require(blobs >= 10'000, "the smallest size is 10000 blobs");
    const Size size{.folder = std::filesystem::temp_directory_path() /
                              ("outport-collection-" + std::to_string(::getpid())),
                    .blobs = blobs};
    Measure(size);
    std::filesystem::remove_all(size.folder);
  }
}
