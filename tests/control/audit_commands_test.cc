#include <rocksdb/db.h>

#include <boost/json/parse.hpp>
#include <fstream>
#include <sstream>

#include "control/console/store_client.h"
#include "control/program.h"
#include "registry/base/bytes.h"
#include "registry/base/file.h"
#include "registry/oci/digest.h"
#include "registry/storage/meta_log.h"
#include "store/audit/audit_file.h"
#include "tests/store/audit/audit_rows.h"
#include "tests/store/fleet/fleet_fixture.h"
#include "tests/support/fleet_credentials.h"

namespace outport::control {
namespace {

namespace fs = std::filesystem;
using store::TextAt;

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

Outcome RunControl(const fs::path& profile, std::vector<std::string> words) {
  words.insert(words.begin(), {"outportctl", "--profile", profile.native()});
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out;
  std::ostringstream err;
  const int status = control::Run(static_cast<int>(argv.size()), argv.data(), {-1, out, err});
  return {status, out.str(), err.str()};
}

// A store whose audit log a test can corrupt.
class AuditCommandsTest : public store::FleetFixture {
 protected:
  AuditCommandsTest() { Serve(); }
  ~AuditCommandsTest() override { server_->Shutdown(std::chrono::system_clock::now()); }

  void Serve() {
    log_ = *OpenRocksMetaStore({.folder = log_folder_}, Log::Nowhere());
    service_ = std::make_unique<store::AuditService>(
        store::AuditService::Parts{.gate = gate_, .meta = *log_});
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(
        "127.0.0.1:0",
        rpc::FleetServerCredentials(
            {files_.server_chain, files_.server_key, store::TrustStateOf(files_.authority).bundle}),
        &port);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    profile_ = folder_.path() / ("admin" + std::to_string(port));
    EXPECT_TRUE(store::CreateAdminProfile(disk_, profile_, "admin",
                                          "127.0.0.1:" + std::to_string(port), fleet_.certificates)
                    .has_value());
  }
  void Record(int count, const std::string& user = "ci") {
    for (int i = 0; i < count; ++i) {
      const auto transaction = log_->Begin();
      const store::Auditor auditor({.kind = "user", .name = user}, clock_);
      auditor.Add(*transaction, i % 2 == 0 ? "tag.set" : "blob.push", "thing" + std::to_string(i),
                  nullptr, {{"n", i}});
      ASSERT_TRUE(transaction->Commit(MetaTransaction::Durability::kBuffered).has_value());
    }
  }
  // Changes a row of the log without the store.
  void Tamper(uint64_t sequence, const std::function<void(std::string&)>& change) {
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
    service_.reset();
    log_.reset();
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::Options(), log_folder_, &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    std::string value;
    ASSERT_TRUE(db->Get(rocksdb::ReadOptions(), kAuditLog.Key(sequence), &value).ok());
    change(value);
    const auto status = value.empty()
                            ? db->Delete(rocksdb::WriteOptions(), kAuditLog.Key(sequence))
                            : db->Put(rocksdb::WriteOptions(), kAuditLog.Key(sequence), value);
    ASSERT_TRUE(status.ok());
  }
  Outcome Control(std::vector<std::string> words) { return RunControl(profile_, std::move(words)); }
  // Writes the log into audit files, as the store does. Returns the lines of the last one.
  std::vector<std::string> Export(uint64_t max_size_bytes, uint64_t max_entries) {
    Metrics metrics;
    const store::StoreClock store_clock(clock_);
    const store::Owner owner(*log_, store_clock, store::Owner::Access::kExclusive);
    store::AuditFile file({.meta = *log_,
                           .files = disk_,
                           .pool = pool_,
                           .metrics = metrics,
                           .log = Log::Nowhere(),
                           .clock = store_clock,
                           .owner = owner,
                           .path = file_,
                           .max_size_bytes = max_size_bytes,
                           .max_files = 5,
                           .max_entries = max_entries,
                           .syslog = ""});
    EXPECT_TRUE(file.Open().has_value());
    EXPECT_TRUE(file.Export().has_value());
    return LinesOf(file_);
  }
  static std::vector<std::string> LinesOf(const fs::path& path) {
    std::vector<std::string> lines;
    std::istringstream text(*ReadWholeFile(path));
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
  static std::string HashOf(const std::string& line) {
    return TextAt(boost::json::parse(line), "/hash");
  }
  // Writes the lines as the audit file, and verifies it.
  Outcome VerifyLines(const std::vector<std::string>& lines,
                      std::vector<std::string> options = {}) {
    std::ofstream file(file_);
    for (const std::string& line : lines) file << line << "\n";
    file.close();
    std::vector<std::string> words = {"audit", "verify", "--file", file_.native()};
    words.insert(words.end(), options.begin(), options.end());
    return Control(words);
  }

  const fs::path log_folder_ = folder_.path() / "log";
  const fs::path file_ = folder_.path() / "audit.jsonl";
  AccessDirectory directory_;
  BlockingPool pool_{"audit", 2, 100};
  const store::AdminGate gate_{.domain = "outport", .directory = directory_, .pool = pool_};
  std::unique_ptr<MetaStore> log_;
  std::unique_ptr<store::AuditService> service_;
  std::unique_ptr<grpc::Server> server_;
  fs::path profile_;
};

std::vector<boost::json::value> ParseLines(const std::string& text) {
  std::vector<boost::json::value> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) rows.push_back(boost::json::parse(line));
  return rows;
}

TEST_F(AuditCommandsTest, ListShowsTheNewestLast) {
  Record(5);
  const Outcome all = Control({"audit", "list"});
  ASSERT_EQ(all.status, 0) << all.err;
  EXPECT_LT(all.out.find("thing0"), all.out.find("thing4"));
  const Outcome newest = Control({"audit", "list", "--limit", "2", "-o", "json"});
  const auto rows = ParseLines(newest.out);
  ASSERT_EQ(rows.size(), 2u) << newest.out;
  EXPECT_EQ(TextAt(rows[0], "/sequence"), "4");
  EXPECT_EQ(TextAt(rows[1], "/record/object"), "thing4");
}

TEST_F(AuditCommandsTest, ListFilters) {
  Record(4, "ann");
  clock_.Advance(std::chrono::hours(48));
  Record(2, "bob");
  const struct {
    const char* what;
    std::vector<std::string> options;
    size_t count;
  } kCases[] = {
      {"all", {}, 6},
      {"by actor", {"--actor", "ann"}, 4},
      {"nobody", {"--actor", "an"}, 0},
      {"by action", {"--action", "tag.set"}, 3},
      {"by kind of action", {"--action", "blob"}, 3},
      {"no half words", {"--action", "blo"}, 0},
      {"both", {"--actor", "bob", "--action", "blob.push"}, 1},
      {"until tomorrow's morning", {"--until", "2100-01-01"}, 6},
      {"since then", {"--since", "2100-01-01T00:00:00Z"}, 0},
      {"in the last hour, and what the shifted clock wrote", {"--since", "1h"}, 6},
      {"until an hour ago", {"--until", "1h"}, 0},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.what);
    std::vector<std::string> words = {"audit", "list", "-o", "json"};
    words.insert(words.end(), c.options.begin(), c.options.end());
    const Outcome outcome = Control(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(ParseLines(outcome.out).size(), c.count) << outcome.out;
  }
  const Outcome wrong = Control({"audit", "list", "--since", "yesterday"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.err.find("--since 'yesterday' is not a time"), std::string::npos);
}

TEST_F(AuditCommandsTest, ListSearchesBeyondTheRangeOfOneCall) {
  Record(1, "ann");
  const auto transaction = log_->Begin();
  for (int i = 0; i < 12000; ++i) transaction->Audit("{}");
  ASSERT_TRUE(transaction->Commit().has_value());
  const Outcome found = Control({"audit", "list", "--actor", "ann", "-o", "json"});
  EXPECT_EQ(ParseLines(found.out).size(), 1u) << found.err;
  const Outcome all = Control({"audit", "list", "--limit", "3000", "-o", "json"});
  EXPECT_EQ(ParseLines(all.out).size(), 3000u);
}

TEST_F(AuditCommandsTest, VerifiesAValidLog) {
  EXPECT_EQ(Control({"audit", "verify"}).status, 0) << "an empty log is valid";
  Record(1100);  // more than a page
  const Outcome text = Control({"audit", "verify"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_TRUE(text.out.starts_with("1100 entries, 1 to 1100, verified")) << text.out;
}

TEST_F(AuditCommandsTest, ReportsTheEntryWithAFlippedByte) {
  Record(9);
  Tamper(5, [](std::string& value) { value[40] ^= 1; });
  Serve();
  const Outcome outcome = Control({"audit", "verify"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("corrupt at entry 5"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("entries 1 to 4 verified"), std::string::npos) << outcome.err;
  EXPECT_EQ(Control({"audit", "list"}).status, 0);
}

TEST_F(AuditCommandsTest, ReportsARemovedEntry) {
  Record(9);
  Tamper(5, [](std::string& value) { value.clear(); });
  Serve();
  const Outcome outcome = Control({"audit", "verify"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("5"), std::string::npos) << outcome.err;
}

TEST_F(AuditCommandsTest, VerifiesATrimmedLogAndItsFiles) {
  Record(30);
  Metrics metrics;
  const fs::path path = folder_.path() / "audit.jsonl";
  const store::StoreClock store_clock(clock_);
  const store::Owner owner(*log_, store_clock, store::Owner::Access::kExclusive);
  store::AuditFile file({.meta = *log_,
                         .files = disk_,
                         .pool = pool_,
                         .metrics = metrics,
                         .log = Log::Nowhere(),
                         .clock = store_clock,
                         .owner = owner,
                         .path = path,
                         .max_size_bytes = 1,
                         .max_files = 5,
                         .max_entries = 10,
                         .syslog = ""});
  ASSERT_TRUE(file.Open().has_value());
  ASSERT_TRUE(file.Export().has_value());
  const Outcome log = Control({"audit", "verify"});
  EXPECT_TRUE(log.out.starts_with("10 entries, 21 to 30")) << log.out << log.err;
  Record(1);
  ASSERT_TRUE(file.Export().has_value());
  const std::string older = path.native() + ".1";
  const Outcome files = Control({"audit", "verify", "--file", older, "--file", path.native()});
  EXPECT_TRUE(files.out.starts_with("31 entries, 1 to 31")) << files.out << files.err;
  const std::string last = HashOf(LinesOf(older).back());
  const Outcome twice =
      Control({"audit", "verify", "--file", older, "--file", older, "--expect", last});
  EXPECT_TRUE(twice.out.starts_with("30 entries, 1 to 30")) << twice.err;

  std::string text = *ReadWholeFile(older);
  text[text.find("thing7") + 5] = '8';
  std::ofstream(older) << text;
  const Outcome changed = Control({"audit", "verify", "--file", older});
  EXPECT_EQ(changed.status, 1);
  EXPECT_NE(changed.err.find("audit.jsonl.1:8: the audit log is corrupt at entry 8"),
            std::string::npos)
      << changed.err;
  EXPECT_EQ(Control({"audit", "verify", "--file", "/nowhere"}).status, 1);
}

TEST_F(AuditCommandsTest, AFileNeedsAllEntriesOfTheStore) {
  Record(9);
  const std::vector<std::string> lines = Export(1 << 20, 1000);
  ASSERT_EQ(lines.size(), 9u);
  const auto part = [&](size_t begin, size_t end) {
    return std::vector<std::string>(lines.begin() + static_cast<std::ptrdiff_t>(begin),
                                    lines.begin() + static_cast<std::ptrdiff_t>(end));
  };
  const struct {
    const char* what;
    std::vector<std::string> lines;
    std::vector<std::string> options;
    std::string problem;  // empty: sound
  } kCases[] = {
      {"whole", lines, {}, ""},
      {"no head", part(3, 9), {}, "they begin with entry 4 instead of entry 1"},
      {"a head that an administrator knows", part(3, 9), {"--from", "4"}, ""},
      {"another head", lines, {"--from", "2"}, "they begin with entry 1 instead of entry 2"},
      {"no tail", part(0, 7), {}, "they end with entry 7, but the store's last entry is 9"},
      {"nothing", {}, {}, "they have no entry, but the store's last entry is 9"},
      {"with a noted hash", lines, {"--expect", HashOf(lines[6])}, ""},
      {"an older copy", part(0, 7), {"--expect", HashOf(lines[6])}, ""},
      {"before the noted hash",
       part(0, 6),
       {"--expect", HashOf(lines[6])},
       "no entry has the hash"},
      {"no head, with a noted hash", part(3, 9), {"--expect", HashOf(lines[6])}, "with entry 4"},
      {"nothing, with a noted hash", {}, {"--expect", HashOf(lines[6])}, "they have no entry"},
      {"no hash", lines, {"--expect", "abc"}, "--expect 'abc' is not a hash"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.what);
    const Outcome outcome = VerifyLines(c.lines, c.options);
    EXPECT_EQ(outcome.status, c.problem.empty() ? 0 : 1) << outcome.out << outcome.err;
    EXPECT_NE(outcome.err.find(c.problem), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(Control({"audit", "verify", "--expect", HashOf(lines[6])}).status, 2) << "of no file";
}

TEST_F(AuditCommandsTest, AFileIsVerifiedWithoutTheStoreByANotedHash) {
  Record(3);
  const std::vector<std::string> lines = Export(1 << 20, 1000);
  const std::vector<std::string> words = {"audit", "verify", "--file", file_.native()};
  const fs::path nowhere = folder_.path() / "no-profile";
  const Outcome alone = RunControl(nowhere, words);
  EXPECT_EQ(alone.status, 1);
  EXPECT_NE(alone.err.find("give the hash of an entry that you noted, with --expect"),
            std::string::npos)
      << alone.err;
  std::vector<std::string> with_hash = words;
  with_hash.insert(with_hash.end(), {"--expect", HashOf(lines.back())});
  EXPECT_EQ(RunControl(nowhere, with_hash).status, 0);
}

// Makes a file with a valid chain of hashes.
std::vector<std::string> ForgedLines(int count, std::string previous) {
  std::vector<std::string> lines;
  for (int i = 1; i <= count; ++i) {
    const std::string hash = Digest::Of(DigestAlgorithm::kSha256, AsBytes(previous + "{}")).hex();
    lines.push_back("{\"sequence\":" + std::to_string(i) + ",\"previous\":\"" +
                    ToHex(AsBytes(previous)) + "\",\"hash\":\"" + hash + "\",\"record\":{}}");
    previous.clear();
    for (size_t at = 0; at < hash.size(); at += 2) {
      previous.push_back(static_cast<char>(std::stoi(hash.substr(at, 2), nullptr, 16)));
    }
  }
  return lines;
}

TEST_F(AuditCommandsTest, AForgedChainIsOfAnotherLog) {
  Record(3);
  const Outcome forged = VerifyLines(ForgedLines(3, std::string(32, '\0')));
  EXPECT_EQ(forged.status, 1);
  EXPECT_NE(forged.err.find("they are of another log"), std::string::npos) << forged.err;
  const std::vector<std::string> later = ForgedLines(3, std::string(32, 'x'));
  const Outcome cut = VerifyLines(later, {"--expect", HashOf(later.back())});
  EXPECT_EQ(cut.status, 1);
  EXPECT_NE(cut.err.find("its 'previous' is another hash"), std::string::npos) << cut.err;
}

TEST_F(AuditCommandsTest, AFileMayBeginAfterWhatTheStoreHasTrimmed) {
  Record(30);
  std::vector<std::string> lines = Export(1 << 20, 10);
  ASSERT_EQ(lines.size(), 30u);
  EXPECT_EQ(VerifyLines(lines).status, 0);
  lines.erase(lines.begin(), lines.begin() + 20);
  EXPECT_EQ(VerifyLines(lines).status, 0) << "the store's log begins with entry 21, too";
  lines.erase(lines.begin());
  EXPECT_EQ(VerifyLines(lines).status, 1);
}

TEST_F(AuditCommandsTest, I6OnlyAdministratorsReadTheAuditLog) {
  const std::string key = pki::CreatePrivateKey();
  for (const Role role : {Role::kClient, Role::kNode, Role::kStore}) {
    const pki::LeafOptions options{.role = role, .name = "x", .lifetime = std::chrono::hours(1)};
    const auto leaf = *pki::Issue(files_.authority, *pki::CreateRequest(key), options);
    auto profile = *Profile::Load(profile_);
    profile.identity.certificate_chain = leaf.certificate + files_.authority.issuing.certificate;
    profile.identity.private_key = key;
    StoreClient client(profile);
    v1::ReadAuditResponse read;
    v1::SearchAuditResponse found;
    const auto reading =
        client.Call(&v1::Audit::Stub::ReadAudit, v1::ReadAuditRequest(), read, "reading");
    const auto searching =
        client.Call(&v1::Audit::Stub::SearchAudit, v1::SearchAuditRequest(), found, "searching");
    ASSERT_FALSE(reading.has_value());
    ASSERT_FALSE(searching.has_value());
    EXPECT_EQ(reading.error().code, ErrorCode::kDenied);
    EXPECT_EQ(searching.error().code, ErrorCode::kDenied);
  }
}

}  // namespace
}  // namespace outport::control
