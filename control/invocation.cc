#include "control/invocation.h"

#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <ostream>

namespace outport::control {

Result<StoreClient> Invocation::Connect() const {
  std::filesystem::path folder = profile;
  if (folder.empty()) {
    const char* home = std::getenv("HOME");
    if (home == nullptr) {
      return Error{ErrorCode::kFailedPrecondition,
                   "HOME is not set, so there is no default profile; give one with --profile DIR"};
    }
    folder = std::filesystem::path(home) / ".config" / "outport";
  }
  TRY(Profile loaded, Profile::Load(folder));
  return StoreClient(std::move(loaded));
}

void Invocation::Print(const Table& table) const {
  streams.out << (json() ? boost::json::serialize(table.ToJson()) + "\n" : table.ToText());
}

void Invocation::Print(const boost::json::value& document, const std::string& text) const {
  streams.out << (json() ? boost::json::serialize(document) : text) << "\n";
}

}  // namespace outport::control
