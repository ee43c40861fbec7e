#include "store/audit/row_json.h"

#include <boost/json/array.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outport::store {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool IsSecret(const FieldDescriptor& field) {
  if (field.type() == FieldDescriptor::TYPE_BYTES) return true;
  const std::string_view name = field.name();
  for (const std::string_view word : {"password", "secret", "token", "private_key"}) {
    if (name.contains(word)) return true;
  }
  return false;
}

// Returns one value of a field as JSON. `index` selects the value of a repeated field; it is -1 for
// other fields.
boost::json::value FieldJson(const Message& row, const FieldDescriptor& field, int index) {
  const Reflection& from = *row.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? from.GetInt32(row, &field) : from.GetRepeatedInt32(row, &field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return one ? from.GetInt64(row, &field) : from.GetRepeatedInt64(row, &field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? from.GetUInt32(row, &field) : from.GetRepeatedUInt32(row, &field, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return one ? from.GetUInt64(row, &field) : from.GetRepeatedUInt64(row, &field, index);
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? from.GetBool(row, &field) : from.GetRepeatedBool(row, &field, index);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return one ? from.GetDouble(row, &field) : from.GetRepeatedDouble(row, &field, index);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return one ? from.GetFloat(row, &field) : from.GetRepeatedFloat(row, &field, index);
    case FieldDescriptor::CPPTYPE_ENUM:
      return boost::json::value(
          (one ? from.GetEnum(row, &field) : from.GetRepeatedEnum(row, &field, index))->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return boost::json::value(one ? from.GetString(row, &field)
                                    : from.GetRepeatedString(row, &field, index));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return RowJson(one ? from.GetMessage(row, &field)
                         : from.GetRepeatedMessage(row, &field, index));
  }
  return nullptr;
}

}  // namespace

boost::json::value RowJson(const Message& row) {
  std::vector<const FieldDescriptor*> fields;
  row.GetReflection()->ListFields(row, &fields);
  boost::json::object object;
  for (const FieldDescriptor* field : fields) {
    if (IsSecret(*field)) continue;
    if (!field->is_repeated()) {
      object[field->name()] = FieldJson(row, *field, -1);
      continue;
    }
    boost::json::array values;
    const int size = row.GetReflection()->FieldSize(row, field);
    for (int i = 0; i < size; ++i) values.push_back(FieldJson(row, *field, i));
    object[field->name()] = std::move(values);
  }
  return object;
}

}  // namespace outport::store
