#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace outport::control {

// Rows under named columns. Prints text for people, or JSON for programs: an array of objects whose
// keys are the column names. A value type.
class Table {
 public:
  // `columns` are the snake_case keys of the JSON. The text shows them in capitals, without '_'.
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  // Adds a row. A cell is a string, a number, a boolean or an array of strings.
  // REQUIRES: the row has as many cells as the table has columns.
  void Add(std::vector<boost::json::value> cells);

  bool empty() const { return rows_.empty(); }
  std::string ToText() const;
  boost::json::array ToJson() const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<boost::json::value>> rows_;
};

// Formats a cell for people: arrays as words, booleans as yes or no. The text is Printable().
std::string CellText(const boost::json::value& cell);

// Formats a time as RFC 3339, or "" for 0.
std::string ToTime(int64_t unix_ms);

}  // namespace outport::control
