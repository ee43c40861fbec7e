// Measures the cost of a page at the start, in the middle and at the end of two lists: a repository
// of 1,000,000 tags, and a catalog of 100,000 repositories, in a real RocksDB. "rss_MiB" is what
// the process holds after the pages: it must not grow with the list.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/content/catalog.h"

namespace outport::store {
namespace {

constexpr int kTags = 1'000'000;
constexpr int kRepositories = 100'000;
constexpr int kRowsAtOnce = 10'000;

std::string Numbered(const char* form, int number) {
  char text[64];
  std::snprintf(text, sizeof(text), form, number);
  return text;
}
std::string TagText(int number) { return Numbered("v%07d", number); }
std::string RepositoryText(int number) { return Numbered("team/app%06d", number); }

void Require(bool done, const char* what) {
  if (done) return;
  std::fprintf(stderr, "paging: %s failed\n", what);
  std::exit(1);
}

// A folder with the lists, made at the first use and removed at the end.
class Lists {
 public:
  Lists() {
    meta_ = *OpenRocksMetaStore({.folder = folder_}, Log::Nowhere());
    Fill(kRepositories, [](MetaTransaction& transaction, int i) {
      const RepositoryName name = *RepositoryName::Parse(RepositoryText(i));
      return WriteRow(transaction, keys::Repository(name), v1::RepositoryRow());
    });
    v1::TagRow row;
    row.set_digest("sha256:" + std::string(64, 'a'));
    Fill(kTags, [this, &row](MetaTransaction& transaction, int i) {
      return WriteRow(transaction, keys::TagOf(repository, *Tag::Parse(TagText(i))), row);
    });
  }
  ~Lists() {
    meta_.reset();
    std::filesystem::remove_all(folder_);
  }

  Catalog catalog() const { return Catalog(*meta_); }
  const RepositoryName repository = *RepositoryName::Parse(RepositoryText(0));

 private:
  template <class Write>
  void Fill(int count, Write write) {
    for (int first = 0; first < count; first += kRowsAtOnce) {
      const auto transaction = meta_->Begin();
      for (int i = first; i < std::min(count, first + kRowsAtOnce); ++i) {
        Require(write(*transaction, i).has_value(), "writing a row");
      }
      Require(transaction->Commit(MetaTransaction::Durability::kBuffered).has_value(), "a commit");
    }
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / Numbered("outport-paging-%d", ::getpid());
  std::unique_ptr<MetaStore> meta_;
};

double ResidentMiB() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0;
  uint64_t resident = 0;
  file >> total >> resident;
  return static_cast<double>(resident) * 4096 / (1 << 20);
}

// `percent` of the list lie before the page.
void PageOfTags(benchmark::State& state, const Lists& lists) {
  const int before = static_cast<int>(kTags / 100 * state.range(0));
  const PageRequest page{before == 0 ? "" : TagText(before - 1),
                         static_cast<size_t>(state.range(1))};
  for (auto _ : state) {
    const Result<Page> found = lists.catalog().Tags(lists.repository, page);
    Require(found.has_value() && found->items.size() == page.limit, "a page of tags");
  }
  state.counters["rss_MiB"] = ResidentMiB();
}

void PageOfCatalog(benchmark::State& state, const Lists& lists, const Visible& visible) {
  const int before = static_cast<int>(kRepositories / 100 * state.range(0));
  const PageRequest page{before == 0 ? "" : RepositoryText(before - 1),
                         static_cast<size_t>(state.range(1))};
  for (auto _ : state) {
    const Result<Page> found = lists.catalog().Repositories(page, visible);
    Require(found.has_value(), "a page of the catalog");
    benchmark::DoNotOptimize(found->items.size());
  }
  state.counters["rss_MiB"] = ResidentMiB();
}

}  // namespace
}  // namespace outport::store

int main(int argc, char** argv) {
  using namespace outport;
  using namespace outport::store;
  benchmark::Initialize(&argc, argv);
  const Lists lists;
  const Visible all([](const RepositoryName&) { return true; });
  const auto narrow = std::make_shared<const std::vector<Grant>>(
      1, Grant{.actions = {Action::kPull}, .pattern = "team/app099999"});
  const Visible one =
      VisibleTo(Rights("narrow", false, {{{SubjectKind::kUser, "narrow"}, narrow}}));
  const std::vector<std::string> names = {"percent_before", "items"};
  benchmark::RegisterBenchmark("tags", [&](auto& state) { PageOfTags(state, lists); })
      ->ArgNames(names)
      ->ArgsProduct({{0, 50, 99}, {100, 1000}})
      ->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("catalog", [&](auto& state) { PageOfCatalog(state, lists, all); })
      ->ArgNames(names)
      ->ArgsProduct({{0, 50, 99}, {100, 1000}})
      ->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("catalog_of_one",
                               [&](auto& state) { PageOfCatalog(state, lists, one); })
      ->ArgNames(names)
      ->Args({0, 1000})
      ->Unit(benchmark::kMicrosecond);
  benchmark::RunSpecifiedBenchmarks();
}
