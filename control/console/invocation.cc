#include "control/console/invocation.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <ostream>

#include "control/console/printable.h"

namespace outport::control {

Result<StoreClient> Invocation::Connect() const {
  std::filesystem::path folder = profile;
  if (folder.empty()) {
    const char* home = std::getenv("HOME");
    if (home == nullptr) {
      return Error{ErrorCode::kFailedPrecondition,
                   "HOME is not set, so there is no default profile; name one with --profile DIR"};
    }
    folder = std::filesystem::path(home) / ".config" / "outport";
  }
  TRY(Profile loaded, Profile::Load(folder));
  return StoreClient(std::move(loaded));
}

void Invocation::Print(const Table& table) const {
  streams.out << PrintableLines(json() ? boost::json::serialize(table.ToJson()) + "\n"
                                       : table.ToText());
}

void Invocation::Print(const boost::json::value& document, const std::string& text) const {
  streams.out << PrintableLines(json() ? boost::json::serialize(document) : text) << "\n";
}

void Invocation::PrintFields(const boost::json::object& document) const {
  size_t width = 0;
  for (const auto& field : document) width = std::max(width, field.key().size());
  std::string text;
  for (const auto& field : document) {
    std::string name(field.key());
    name.resize(width + 2, ' ');
    text += (text.empty() ? "" : "\n") + name;
    text += CellText(field.value());
  }
  Print(document, text);
}

}  // namespace outport::control
