#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>

#include "control/console/profile.h"
#include "control/console/store_client.h"
#include "control/console/table.h"
#include "registry/base/result.h"

namespace outport::control {

// Where a command reads and writes.
struct Streams {
  int input;  // a file descriptor: passwords are asked for on it if it is a terminal
  std::ostream& out;
  std::ostream& err;
};

// One run of outportctl: the options that every command has, and the command that was chosen.
struct Invocation {
  explicit Invocation(Streams streams_in) : streams(streams_in) {}

  Streams streams;
  std::string profile;
  std::string format = "table";
  std::function<Result<void>()> chosen;  // set by the command's callback

  bool json() const { return format == "json"; }
  // A client of the profile's store.
  Result<StoreClient> Connect() const;
  void Print(const Table& table) const;
  // The document as JSON, or `text` and a newline.
  void Print(const boost::json::value& document, const std::string& text) const;
  // One thing: the document as JSON, or a line for each of its fields, which are strings.
  void PrintFields(const boost::json::object& document) const;
};

}  // namespace outport::control
