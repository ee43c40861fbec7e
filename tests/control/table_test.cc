#include "control/console/table.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace outport::control {
namespace {

TEST(Table, AlignsColumnsInText) {
  Table table({"name", "last_ping", "hosts"});
  table.Add(
      {boost::json::value("eu-west"), boost::json::value(12), boost::json::array({"a", "b"})});
  table.Add({boost::json::value("us"), boost::json::value(true), boost::json::array()});
  EXPECT_EQ(table.ToText(),
            "NAME      LAST PING   HOSTS\n"
            "eu-west   12          a b\n"
            "us        yes\n");
}

TEST(Table, PrintsJsonAsAnArrayOfObjects) {
  Table table({"name", "hosts"});
  EXPECT_EQ(boost::json::serialize(table.ToJson()), "[]");
  table.Add({boost::json::value("eu"), boost::json::array({"a"})});
  EXPECT_EQ(boost::json::serialize(table.ToJson()), R"([{"name":"eu","hosts":["a"]}])");
}

TEST(Table, FormatsTimesAndTheirAbsence) {
  EXPECT_EQ(ToTime(0), "");
  EXPECT_EQ(ToTime(1000), "1970-01-01T00:00:01.000Z");
}

}  // namespace
}  // namespace outport::control
