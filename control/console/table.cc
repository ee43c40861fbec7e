#include "control/console/table.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "control/console/printable.h"
#include "registry/base/clock.h"

namespace outport::control {
namespace {

std::string Heading(std::string column) {
  for (char& c : column) {
    if (c == '_') c = ' ';
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return column;
}

}  // namespace

std::string CellText(const boost::json::value& cell) {
  if (cell.is_string()) return Printable(cell.get_string());
  if (cell.is_bool()) return cell.get_bool() ? "yes" : "no";
  if (!cell.is_array()) return boost::json::serialize(cell);
  std::string text;
  for (const boost::json::value& item : cell.get_array()) {
    text += (text.empty() ? "" : " ") + CellText(item);
  }
  return text;
}

void Table::Add(std::vector<boost::json::value> cells) { rows_.push_back(std::move(cells)); }

std::string Table::ToText() const {
  std::vector<std::vector<std::string>> lines(1);
  for (const std::string& column : columns_) lines[0].push_back(Heading(column));
  for (const auto& row : rows_) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const boost::json::value& cell : row) line.push_back(CellText(cell));
  }
  std::vector<size_t> widths(columns_.size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const auto& line : lines) {
    std::string shown;
    for (size_t i = 0; i < line.size(); ++i) {
      shown += line[i] + std::string(widths[i] - line[i].size() + 3, ' ');
    }
    shown.erase(shown.find_last_not_of(' ') + 1);
    text += shown + "\n";
  }
  return text;
}

boost::json::array Table::ToJson() const {
  boost::json::array rows;
  for (const auto& row : rows_) {
    boost::json::object& object = rows.emplace_back(boost::json::object()).get_object();
    for (size_t i = 0; i < row.size(); ++i) object[columns_[i]] = row[i];
  }
  return rows;
}

std::string ToTime(int64_t unix_ms) {
  return unix_ms == 0 ? std::string() : FormatTime(FromUnixMillis(unix_ms));
}

}  // namespace outport::control
