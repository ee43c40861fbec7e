#pragma once

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <vector>

#include "registry/storage/meta_store.h"

namespace outport::store {

// Returns the entries of the audit log after entry `after`.
inline std::vector<boost::json::value> AuditRows(const MetaView& meta, uint64_t after = 0) {
  std::vector<boost::json::value> rows;
  const auto records = meta.ReadAudit(after + 1, 10000, 1 << 24);
  EXPECT_TRUE(records.has_value());
  for (const LogRecord& record : *records) rows.push_back(boost::json::parse(record.record));
  return rows;
}

// Returns the value at a JSON pointer like "/actor/name", numbers as text; "" if there is none.
inline std::string TextAt(const boost::json::value& row, const char* pointer) {
  boost::system::error_code ignored;
  const boost::json::value* found = row.find_pointer(pointer, ignored);
  if (found == nullptr) return "";
  return found->is_string() ? std::string(found->get_string()) : boost::json::serialize(*found);
}

// Returns a line like "user.add user/ci" for each entry.
inline std::string AuditSummary(const MetaView& meta, uint64_t after = 0) {
  std::string text;
  for (const boost::json::value& row : AuditRows(meta, after)) {
    text += TextAt(row, "/action") + " " + TextAt(row, "/object") + "\n";
  }
  return text;
}

}  // namespace outport::store
