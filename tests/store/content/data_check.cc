// store_data_check DATA: checks the data folder of a store that is not running, and prints what it
// found as one JSON document:
//
//   problems  texts: rows that contradict each other, and files that contradict rows
//   blobs     digest, size_bytes, and the run in whose trash it is ("": a repository links it)
//   rows      the number of rows of each prefix
//
// Exit code 1 if the folder cannot be opened. Opening replays the write-ahead log, as a start does.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <filesystem>
#include <map>

#include "registry/records/rows.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "tests/store/content/content_fixture.h"
#include "tests/store/content/index_check.h"
#include "tests/store/content/tag_event_check.h"

namespace outport::store {
namespace {

namespace json = boost::json;

constexpr size_t kAll = 10'000'000;

class DataCheck {
 public:
  DataCheck(const MetaStore& meta, std::filesystem::path root)
      : meta_(meta), root_(std::move(root)) {}

  json::object Run() {
    for (const std::string& problem : ProblemsOfIndexes(meta_)) Say(problem);
    for (const std::string& problem : ProblemsOfTagEvents(meta_)) Say(problem);
    CompareBlobsWithFiles();
    json::object rows;
    for (const std::string_view prefix :
         {keys::kTags, keys::kManifests, keys::kLinks, keys::kBlobs, keys::kCondemned,
          keys::kUntagged, keys::kTrash, keys::kIntents}) {
      rows[prefix] = Rows(prefix).size();
    }
    return {{"problems", std::move(problems_)},
            {"blobs", std::move(blobs_)},
            {"rows", std::move(rows)}};
  }

 private:
  std::vector<KeyValue> Rows(std::string_view prefix) const {
    return *meta_.Scan({.prefix = std::string(prefix), .limit = kAll});
  }
  void Say(const std::string& problem) { problems_.emplace_back(problem); }

  // Each row has its file, of the same size, and each file has its row.
  void CompareBlobsWithFiles() {
    std::map<std::string, uint64_t> files;  // the names of files are unique: they have the digest
    for (const auto& path : FilesUnder(root_ / "blobs")) {
      files[path.filename().native()] = std::filesystem::file_size(path);
    }
    for (const KeyValue& row : Rows(keys::kBlobs)) {
      const auto blob = *ParseRow<v1::BlobRow>(row.key, row.value);
      const std::string digest(keys::After(row.key, keys::kBlobs));
      blobs_.emplace_back(
          json::object{{"digest", digest},
                       {"size_bytes", blob.size_bytes()},
                       {"trashed_in", blob.state() == v1::BLOB_STATE_TRASHED ? blob.run() : ""}});
      const auto file = files.find(std::filesystem::path(blob.object()).filename().native());
      if (file == files.end()) {
        Say("the blob " + digest + " has no file " + blob.object());
      } else {
        if (file->second != blob.size_bytes()) Say("the file of " + digest + " has another size");
        files.erase(file);
      }
    }
    for (const auto& [name, size] : files) Say("no row names the file " + name);
  }

  const MetaStore& meta_;
  const std::filesystem::path root_;
  json::array problems_;
  json::array blobs_;
};

int Main(const std::filesystem::path& data) {
  const auto meta = OpenRocksMetaStore({.folder = data / "meta"}, Log::Nowhere());
  if (!meta.has_value()) {
    std::fprintf(stderr, "store_data_check: %s\n", meta.error().message.c_str());
    return 1;
  }
  std::printf("%s\n", json::serialize(DataCheck(**meta, data).Run()).c_str());
  return 0;
}

}  // namespace
}  // namespace outport::store

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: store_data_check DATA\n");
    return 2;
  }
  return outport::store::Main(argv[1]);
}
