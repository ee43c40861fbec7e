#include "store/audit/audit_file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <utility>

#include "registry/records/rows.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "tests/store/audit/audit_rows.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temporary_folder.h"

namespace outport::store {
namespace {

// Calls a hook once, when a file is opened.
class HookedFiles final : public FileSystem {
 public:
  using Path = std::filesystem::path;
  std::function<void()> before_open;

  Result<std::unique_ptr<File>> OpenForWrite(const Path& path) override {
    if (before_open != nullptr) std::exchange(before_open, nullptr)();
    return disk_.OpenForWrite(path);
  }
  Result<std::unique_ptr<File>> Create(const Path& path) override { return disk_.Create(path); }
  Result<std::unique_ptr<File>> OpenForRead(const Path& path) override {
    return disk_.OpenForRead(path);
  }
  Result<void> Rename(const Path& from, const Path& to) override { return disk_.Rename(from, to); }
  Result<void> Remove(const Path& path) override { return disk_.Remove(path); }
  Result<void> CreateDirectories(const Path& path) override {
    return disk_.CreateDirectories(path);
  }
  Result<void> SyncDirectory(const Path& path) override { return disk_.SyncDirectory(path); }
  Result<std::vector<std::string>> List(const Path& path) override { return disk_.List(path); }
  Result<uint64_t> FreeBytes(const Path& path) override { return disk_.FreeBytes(path); }

 private:
  PosixFileSystem disk_;
};

class AuditFileTest : public testing::Test {
 protected:
  AuditFileTest() { Start(); }

  std::unique_ptr<AuditFile> Open(const Owner& owner) {
    auto file = std::make_unique<AuditFile>(AuditFile::Parts{.meta = *meta_,
                                                             .files = files_,
                                                             .pool = pool_,
                                                             .metrics = metrics_,
                                                             .log = Log::Nowhere(),
                                                             .clock = store_clock_,
                                                             .owner = owner,
                                                             .path = path_,
                                                             .max_size_bytes = max_size_bytes_,
                                                             .max_files = 2,
                                                             .max_entries = max_entries_,
                                                             .syslog = syslog_});
    const auto opened = file->Open();
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return file;
  }
  // Starts as a new process, with these settings. The earlier process has ended.
  void Start() {
    file_.reset();
    owner_ = std::make_unique<Owner>(*meta_, store_clock_, Owner::Access::kExclusive);
    ASSERT_TRUE(owner_->Renew().has_value());
    file_ = Open(*owner_);
  }
  uint64_t Exported() {
    return ReadRow<v1::AuditFileRow>(*meta_, keys::kAuditFile).value()->exported().sequence();
  }
  void Record(int count, size_t size = 1) {
    for (int i = 0; i < count; ++i) {
      const auto transaction = meta_->Begin();
      transaction->Audit("{\"pad\":\"" + std::string(size, 'x') + "\"}");
      ASSERT_TRUE(transaction->Commit(MetaTransaction::Durability::kBuffered).has_value());
    }
  }
  void Export() {
    const auto exported = file_->Export();
    ASSERT_TRUE(exported.has_value()) << exported.error().message;
  }
  static std::vector<std::string> Lines(const std::filesystem::path& path) {
    std::vector<std::string> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  // Returns the numbers of a file's entries: "1 2 3".
  static std::string Numbers(const std::filesystem::path& path) {
    std::string numbers;
    for (const std::string& line : Lines(path)) {
      const auto number = boost::json::parse(line).at("sequence").as_int64();
      numbers += (numbers.empty() ? "" : " ") + std::to_string(number);
    }
    return numbers;
  }
  std::filesystem::path Older(int number) const {
    return path_.native() + "." + std::to_string(number);
  }

  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "audit" / "audit.jsonl";
  HookedFiles files_;
  BlockingPool pool_{"audit", 1, 10};
  Metrics metrics_;
  std::unique_ptr<MetaStore> meta_ =
      *OpenRocksMetaStore({.folder = folder_.path() / "meta"}, Log::Nowhere());
  uint64_t max_size_bytes_ = 1 << 20;
  uint64_t max_entries_ = 1000;
  std::string syslog_;
  ManualClock clock_;
  StoreClock store_clock_{clock_};
  std::unique_ptr<Owner> owner_;
  std::unique_ptr<AuditFile> file_;
};

// Two processes that share the metadata and the folder of the file.
class TwoAuditFilesTest : public AuditFileTest {
 protected:
  TwoAuditFilesTest() {
    a_ = Open(owner_a_);
    b_ = Open(owner_b_);
    Renew();
  }
  void Renew() {
    ASSERT_TRUE(owner_a_.Renew().has_value());
    ASSERT_TRUE(owner_b_.Renew().has_value());
  }

  Owner owner_a_{*meta_, store_clock_, Owner::Access::kShared};
  Owner owner_b_{*meta_, store_clock_, Owner::Access::kShared};
  std::unique_ptr<AuditFile> a_;
  std::unique_ptr<AuditFile> b_;
};

TEST_F(AuditFileTest, EveryEntryIsALineThatOnlyTheOwnerReads) {
  Record(3);
  Export();
  EXPECT_EQ(Numbers(path_), "1 2 3");
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const auto entries = *meta_->ReadAudit(1, 10, 10000);
  const auto line = boost::json::parse(Lines(path_)[1]);
  EXPECT_EQ(TextAt(line, "/previous"), ToHex(entries[0].position.hash));
  EXPECT_EQ(TextAt(line, "/hash"), ToHex(entries[1].position.hash));
  EXPECT_NE(Lines(path_)[1].find("\"record\":" + entries[1].record + "}"), std::string::npos);
}

TEST_F(AuditFileTest, TheExportContinuesAfterARestart) {
  Record(2);
  Export();
  Record(2);
  Start();
  Export();
  EXPECT_EQ(Numbers(path_), "1 2 3 4");
}

TEST_F(AuditFileTest, ALineThatACrashTruncatedIsWrittenAgain) {
  Record(2);
  Export();
  std::ofstream(path_, std::ios::app) << "{\"sequence\":3,\"prev";
  Record(1);
  Start();
  Export();
  EXPECT_EQ(Numbers(path_), "1 2 3");
  std::ofstream(path_) << std::string(10000, 'x');  // longer than one read
  Record(1);
  Start();
  Export();
  EXPECT_EQ(Numbers(path_), "4");
}

TEST_F(AuditFileTest, AFullFileIsRotated) {
  max_size_bytes_ = 1000;
  Start();
  for (int i = 0; i < 4; ++i) {
    Record(1, 600);
    Export();
  }
  EXPECT_EQ(Numbers(path_), "4");
  EXPECT_EQ(Numbers(Older(1)), "3");
  EXPECT_EQ(Numbers(Older(2)), "2");
  EXPECT_FALSE(std::filesystem::exists(Older(3)));
  std::ofstream(Older(3)) << "of a time when more were kept\n";
  Start();
  Record(1, 600);
  Export();
  EXPECT_EQ(Numbers(path_), "5");
  EXPECT_FALSE(std::filesystem::exists(Older(3)));
}

TEST_F(AuditFileTest, RowsThatTheFileHasAreTrimmedBeyondTheBound) {
  max_entries_ = 10;
  Start();
  Record(25);
  Export();
  auto kept = *meta_->ReadAudit(1, 1000, 1 << 20);
  ASSERT_EQ(kept.size(), 10u);
  EXPECT_EQ(kept.front().position.sequence, 16u);
  Start();  // and still so after a restart
  Record(5);
  Export();
  kept = *meta_->ReadAudit(1, 1000, 1 << 20);
  EXPECT_EQ(kept.front().position.sequence, 21u);
  EXPECT_EQ(Lines(path_).size(), 30u);
}

TEST_F(AuditFileTest, WhileTheFileCannotBeWrittenNothingIsLost) {
  max_entries_ = 1;
  max_size_bytes_ = 1;
  Start();
  Record(1);
  Export();
  std::filesystem::create_directories(Older(2) / "in the way of a rename");
  std::filesystem::rename(path_, Older(1));  // so that the next rotation must rename it
  std::ofstream(path_) << "x\n";
  Start();
  Record(5);
  EXPECT_FALSE(file_->Export().has_value());
  EXPECT_EQ(meta_->ReadAudit(2, 10, 10000)->size(), 5u);
  std::filesystem::remove_all(Older(2));
  Export();
  EXPECT_EQ(Numbers(path_), "2 3 4 5 6");
}

TEST_F(TwoAuditFilesTest, EachEntryIsExportedOnce) {
  max_entries_ = 3;
  a_ = Open(owner_a_);
  b_ = Open(owner_b_);
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE(round);
    AuditFile& first = round % 2 == 0 ? *a_ : *b_;
    AuditFile& second = round % 2 == 0 ? *b_ : *a_;
    for (int i = 0; i < 2; ++i) {
      Record(1);
      ASSERT_TRUE(first.Export().has_value());
      ASSERT_TRUE(second.Export().has_value());
    }
    clock_.Advance(WorkLease::kDuration);
    Renew();
  }
  EXPECT_EQ(Numbers(path_), "1 2 3 4 5 6 7 8");
  EXPECT_EQ(meta_->ReadAudit(1, 100, 1 << 20)->front().position.sequence, 6u);
}

TEST_F(TwoAuditFilesTest, OnlyTheHolderOfTheLeaseExports) {
  Record(1);
  ASSERT_TRUE(a_->Export().has_value());
  Record(1);
  ASSERT_TRUE(b_->Export().has_value());
  EXPECT_EQ(Numbers(path_), "1");
  ASSERT_TRUE(owner_a_.Release().has_value());  // the process has ended
  ASSERT_TRUE(b_->Export().has_value());
  EXPECT_EQ(Numbers(path_), "1 2");
}

// A process that is starting must not touch the line that the holder is writing.
TEST_F(TwoAuditFilesTest, AStartLeavesTheLastLineToTheHolder) {
  std::ofstream(path_) << "{\"sequence\":1,\"prev";
  const auto size = std::filesystem::file_size(path_);
  b_ = Open(owner_b_);
  EXPECT_EQ(std::filesystem::file_size(path_), size);
}

// The process was so slow that another one acquired the lease and exported more.
TEST_F(TwoAuditFilesTest, ASlowHolderDoesNotMoveTheExportBack) {
  Record(1);
  files_.before_open = [this] {
    Record(2);
    clock_.Advance(WorkLease::kDuration);
    Renew();
    ASSERT_TRUE(b_->Export().has_value());
    EXPECT_EQ(Exported(), 3u);
  };
  const Result<void> slow = a_->Export();
  ASSERT_FALSE(slow.has_value());
  EXPECT_EQ(slow.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Exported(), 3u);
  Record(1);
  ASSERT_TRUE(a_->Export().has_value());
  ASSERT_TRUE(b_->Export().has_value());
  EXPECT_EQ(Numbers(path_), "1 2 3 1 4");
}

TEST_F(AuditFileTest, SyslogGetsEveryLine) {
  syslog_ = folder_.path() / "log";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  syslog_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const auto listen = [&address] {
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  };
  const auto receive = [](int fd) {
    std::string text(10000, '\0');
    const ssize_t size = ::recv(fd, text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return text;
  };
  int daemon = listen();
  Start();
  Record(1);
  Export();
  const std::string message = receive(daemon);
  EXPECT_TRUE(message.starts_with("<86>")) << message;  // LOG_AUTHPRIV, LOG_INFO
  EXPECT_TRUE(message.ends_with(": " + Lines(path_)[0])) << message;

  ::close(daemon);
  ::unlink(syslog_.c_str());
  Record(1);
  Export();  // no daemon listens: the file is still written
  EXPECT_EQ(Numbers(path_), "1 2");
  daemon = listen();
  Record(1);
  Export();
  EXPECT_TRUE(receive(daemon).ends_with(Lines(path_)[2]));
  ::close(daemon);
}

}  // namespace
}  // namespace outport::store
