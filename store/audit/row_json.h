#pragma once

#include <google/protobuf/message.h>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>

namespace outport::store {

// Returns `row` as JSON for the audit log, without unset fields and without secrets. A field is a
// secret if it holds bytes, or if its name contains password, secret, token or private_key.
boost::json::value RowJson(const google::protobuf::Message& row);
// Returns `row` as JSON, or null if the optional is empty.
template <class Row>
boost::json::value RowJson(const std::optional<Row>& row) {
  return row.has_value() ? RowJson(*row) : boost::json::value();
}

}  // namespace outport::store
