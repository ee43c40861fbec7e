#include "registry/base/data_format.h"

#include <gtest/gtest.h>

#include <array>

#include "registry/base/file.h"
#include "tests/support/temporary_folder.h"

namespace outport {
namespace {

namespace fs = std::filesystem;

constexpr FormatPart kRows{
    .name = "rows", .title = "the metadata", .version = 2, .changes = "new rows"};
constexpr FormatPart kBlobs{
    .name = "blobs", .title = "the blob folder", .version = 1, .changes = ""};
constexpr std::array kKnown{kRows, kBlobs};

class DataFormatTest : public testing::Test {
 protected:
  Result<DataFormat> Read() const { return DataFormat::Read(folder_, kKnown); }
  void Write(std::string_view text) const {
    ASSERT_TRUE(ReplaceFile(folder_ / "format", text).has_value());
  }
  std::string Text() const { return ReadWholeFile(folder_ / "format").value_or("(none)"); }
  // Returns the versions of kKnown, as Describe() shows them.
  std::vector<std::string> Described() const {
    const Result<DataFormat> format = Read();
    if (!format.has_value()) return {format.error().message};
    return format->Describe();
  }
  Result<void> Raise() const {
    TRY(const DataFormat format, Read());
    return format.Raise("0.2.0", Log::Nowhere());
  }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

using Lines = std::vector<std::string>;

TEST_F(DataFormatTest, AFolderWithoutTheFileHasTheFirstFormat) {
  const Lines expected = {
      "rows: format 1; the next 'serve' upgrades it to 2, which adds new rows; "
      "an older release must not open the folder afterwards",
      "blobs: format 1"};
  EXPECT_EQ(Described(), expected);
  EXPECT_EQ(Text(), "(none)") << "reading must change nothing";
}

TEST_F(DataFormatTest, ANewFolderHasTheKnownFormats) {
  ASSERT_TRUE(DataFormat::Create(folder_, kKnown, "0.2.0").has_value());
  EXPECT_EQ(Described(), (Lines{"rows: format 2", "blobs: format 1"}));
  EXPECT_TRUE(Text().ends_with("rows 2\nblobs 1\nwritten-by 0.2.0\n")) << Text();
}

TEST_F(DataFormatTest, RaisesOldVersions) {
  Write("rows 1\nblobs 1\nwritten-by 0.1.0\n");
  ASSERT_TRUE(Raise().has_value());
  EXPECT_EQ(Described(), (Lines{"rows: format 2", "blobs: format 1"}));
}

TEST_F(DataFormatTest, RaisesAFolderWithoutTheFile) {
  ASSERT_TRUE(Raise().has_value());
  EXPECT_EQ(Described(), (Lines{"rows: format 2", "blobs: format 1"}));
}

TEST_F(DataFormatTest, AddsThePartThatIsNotListed) {
  Write("rows 2\nwritten-by 0.1.0\n");
  ASSERT_TRUE(Raise().has_value());
  EXPECT_TRUE(Text().ends_with("rows 2\nblobs 1\nwritten-by 0.2.0\n")) << Text();
}

TEST_F(DataFormatTest, KeepsAFileWithTheKnownVersions) {
  const std::string text = "# a comment\nblobs 1\nrows 2\nwritten-by 0.1.0\n";
  Write(text);
  ASSERT_TRUE(Raise().has_value());
  EXPECT_EQ(Text(), text);
}

TEST_F(DataFormatTest, I15RefusesANewerVersionInOneLine) {
  Write("rows 3\nblobs 1\nwritten-by 0.3.0\n");
  const auto refused = Read();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(refused.error().message,
            "the metadata in " + folder_.native() +
                " has format 3, but this program knows formats up to 2; run release 0.3.0, which "
                "wrote the format, or a newer one (nothing was changed)");
  EXPECT_TRUE(Text().starts_with("rows 3\n"));
}

TEST_F(DataFormatTest, I15RefusesAPartThatItDoesNotKnow) {
  Write("rows 2\nblobs 1\nsearch 1\nwritten-by 0.4.0\n");
  const auto refused = Read();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("has the part 'search', which this program does not know; "
                                         "run release 0.4.0"),
            std::string::npos)
      << refused.error().message;
}

TEST_F(DataFormatTest, SaysWhichDaemonAFolderBelongsTo) {
  for (const std::string daemon : {"node", "store"}) {
    Write("blobs 1\n" + daemon + "-metadata 1\nwritten-by 0.1.0\n");
    const auto refused = Read();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_EQ(refused.error().message, "the data folder " + folder_.native() +
                                           " belongs to outport-" + daemon +
                                           "; name the right data folder (nothing was changed)");
  }
}

TEST_F(DataFormatTest, RefusesAFileThatIsNotValid) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kCases{{
      {"", "last line is not 'written-by RELEASE'"},
      {"rows 2\n", "last line is not 'written-by RELEASE'"},
      {"rows 2\nblobs 1\nwritten-by 0.2", "last line is incomplete"},
      {"rows 2\nblobs 1\nwritten-by \n", "'written-by ' is not a name and a version"},
      {"written-by 0.2.0\nrows 2\n", "a line follows 'written-by'"},
      {"rows\nwritten-by 0.2.0\n", "'rows' is not a name and a version"},
      {"rows 0\nwritten-by 0.2.0\n", "'rows 0' has no valid version"},
      {"rows 2x\nwritten-by 0.2.0\n", "'rows 2x' has no valid version"},
      {"rows 99999999999\nwritten-by 0.2.0\n", "'rows 99999999999' has no valid version"},
      {"rows 1\nrows 2\nwritten-by 0.2.0\n", "'rows 2' is a second line of a part"},
  }};
  for (const auto& [text, why] : kCases) {
    Write(text);
    const auto refused = Read();
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt) << text;
    EXPECT_NE(refused.error().message.find(why), std::string::npos) << refused.error().message;
    EXPECT_EQ(refused.error().message.find('\n'), std::string::npos) << refused.error().message;
  }
}

TEST_F(DataFormatTest, RefusesAFileThatItCannotRead) {
  fs::create_directories(folder_ / "format");
  const auto refused = Read();
  ASSERT_FALSE(refused.has_value()) << "only an absent file means the first format";
  EXPECT_NE(refused.error().message.find((folder_ / "format").native()), std::string::npos)
      << refused.error().message;
}

}  // namespace
}  // namespace outport
