#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace outport::control {

// Rows under named columns: text for people, JSON (an array of objects, named as the columns) for
// programs. A value.
class Table {
 public:
  // Lowercase, snake_case: the JSON's names. The text shows them in capitals.
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  // REQUIRES: as many cells as columns. A string, number or boolean, or an array of strings.
  void Add(std::vector<boost::json::value> cells);

  bool empty() const { return rows_.empty(); }
  std::string ToText() const;
  boost::json::array ToJson() const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<boost::json::value>> rows_;
};

// A cell, or another value, for people: arrays as words.
std::string CellText(const boost::json::value& cell);

// RFC 3339, or "" for 0.
std::string ToTime(int64_t unix_ms);

}  // namespace outport::control
