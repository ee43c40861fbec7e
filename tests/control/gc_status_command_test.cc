#include <gmock/gmock.h>

#include <boost/json/parse.hpp>

#include "tests/control/fake_content.h"

namespace outport::control {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

constexpr int64_t kHourMs = 3'600'000;

// What `gc status` and `status` say of work that is late, or that the disk refuses.
class GcStatusCommandTest : public ContentProgramTest {
 protected:
  json::value Json(std::vector<std::string> words) {
    words.insert(words.begin(), {"-o", "json"});
    const Outcome outcome = Control(std::move(words));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return json::parse(outcome.out);
  }
};

TEST_F(GcStatusCommandTest, TheStatusOfTheStoreWarnsOfOverdueWork) {
  gc_.collector.set_store_clock_ms(100 * kHourMs);
  gc_.collector.set_oldest_due_ms(97 * kHourMs);
  gc_.collector.set_overdue(9);
  const std::string late = "garbage collection is overdue: 9 links, the oldest since 3h";
  EXPECT_THAT(Control({"status"}).out, HasSubstr("warning: store: " + late));
  const json::value status = Json({"status"});
  EXPECT_EQ(status.at("collector").at("overdue").as_int64(), 9);
  EXPECT_EQ(status.at("warnings").at(0).at("source").as_string(), "store");
  // The store knows its window, so it counts only what waits for too long.
  gc_.collector.set_overdue(0);
  EXPECT_EQ(Control({"status"}).out.find("overdue:"), std::string::npos);
}

TEST_F(GcStatusCommandTest, TheStatusOfTheStoreWarnsOfTrashThatIsNotFreed) {
  gc_.collector.set_overdue_trash(7);
  const std::string late = "warning: store: the trash is overdue: 7 rows whose window has ended";
  EXPECT_THAT(Control({"status"}).out, HasSubstr(late));
  EXPECT_THAT(Control({"gc", "status"}).out, HasSubstr("0 links, 7 rows of the trash"));
  EXPECT_EQ(Json({"gc", "status"}).at("overdue_trash").as_int64(), 7);
}

TEST_F(GcStatusCommandTest, NamesObjectsThatTheDiskDoesNotRemove) {
  EXPECT_THAT(Control({"gc", "status"}).out, testing::Not(HasSubstr("warning")));
  gc_.collector.set_stuck_objects(1);
  EXPECT_THAT(Control({"gc", "status"}).out,
              HasSubstr("warning: the disk does not remove 1 object of freed blobs"));
  EXPECT_EQ(Json({"gc", "status"}).at("stuck_objects").as_int64(), 1);
}

}  // namespace
}  // namespace outport::control
