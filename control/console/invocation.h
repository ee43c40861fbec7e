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

// The streams of a command.
struct Streams {
  int input;  // a file descriptor; passwords are read from it
  std::ostream& out;
  std::ostream& err;
  bool terminal = false;  // `err` is a terminal
};

// One run of outportctl: the global options and the chosen command.
struct Invocation {
  explicit Invocation(Streams streams_in) : streams(streams_in) {}

  Streams streams;
  std::string profile;
  std::string format = "table";
  std::function<Result<void>()> chosen;  // set when the command line is parsed

  bool json() const { return format == "json"; }
  // Loads the profile and returns a client for its store. The client connects at its first call.
  Result<StoreClient> Connect() const;
  void Print(const Table& table) const;
  // Prints the document as JSON, or `text` and a newline.
  void Print(const boost::json::value& document, const std::string& text) const;
  // Prints the document as JSON, or as one line for each of its fields.
  void PrintFields(const boost::json::object& document) const;
};

}  // namespace outport::control
