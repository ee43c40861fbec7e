#include "store/audit/auditor.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "registry/base/log.h"

namespace outport::store {
namespace {

// Longer texts that a client or a node sends about itself are truncated to this many bytes.
constexpr size_t kMaxText = 256;

}  // namespace

Actor Actor::Administrator(std::string name, std::string address, std::string request_id) {
  return Actor{.kind = "administrator",
               .name = std::move(name),
               .address = std::move(address),
               .request_id = request_id.substr(0, kMaxText)};
}

Actor Actor::Node(std::string name, std::string address) {
  return Actor{.kind = "node", .name = std::move(name), .address = std::move(address)};
}

Actor Actor::Store() { return Actor{.kind = "store", .name = "store"}; }

Actor Actor::Of(const Caller& caller) {
  return Actor{.kind = "user",
               .name = caller.user,
               .certificate_name = caller.certificate_name.substr(0, kMaxText),
               .node = caller.node,
               .address = caller.address.substr(0, kMaxText),
               .request_id = caller.request_id.substr(0, kMaxText)};
}

void Auditor::Add(MetaTransaction& transaction, std::string_view action, std::string_view object,
                  const boost::json::value& before, const boost::json::value& after) const {
  std::string text = "{";
  const auto add = [&text](std::string_view key, std::string_view value) {
    if (value.empty()) return;
    if (text.back() != '{') text += ',';
    text += '"' + std::string(key) + "\":\"" + JsonEscape(value) + '"';
  };
  add("time", FormatTime(clock_.Wall()));
  add("action", action);
  add("object", object);
  text += ",\"actor\":{";
  add("kind", actor_.kind);
  add("name", actor_.name);
  add("certificate", actor_.certificate_name);
  add("node", actor_.node);
  add("address", actor_.address);
  add("request_id", actor_.request_id);
  text += "},\"before\":" + boost::json::serialize(before) +
          ",\"after\":" + boost::json::serialize(after) + "}";
  transaction.Audit(std::move(text));
}

}  // namespace outport::store
