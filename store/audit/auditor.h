#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "registry/base/clock.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Who changes something, and from where. What a client or a node says of itself is cut to a bounded
// length.
struct Actor {
  std::string kind;  // "administrator", "user", "node" or "store"
  std::string name;
  std::string certificate = {};  // the user's, by its name
  std::string node = {};         // that relayed it
  std::string address = {};
  std::string request_id = {};

  static Actor Administrator(std::string name, std::string address = {},
                             std::string request_id = {});
  static Actor Node(std::string name, std::string address);
  // The store itself.
  static Actor Store();
  // A user of the registry.
  static Actor Of(const Caller& caller);
};

// Writes rows of the audit log on behalf of one actor, each in the transaction that makes the
// change:
//
//   const Auditor auditor(actor, clock_);
//   ...
//   auditor.Add(transaction, "user.remove", "user/" + name, RowJson(before), nullptr);
//
// A row is one JSON object: time, action, object, actor, before, after. A value; what it borrows
// outlives it.
class Auditor {
 public:
  Auditor(Actor actor, const Clock& clock) : actor_(std::move(actor)), clock_(clock) {}

  // `action`: NOUN.VERB. `before` and `after` are what the object was and is; null: nothing.
  void Add(MetaTransaction& transaction, std::string_view action, std::string_view object,
           const boost::json::value& before, const boost::json::value& after) const;

  const Actor& actor() const { return actor_; }

 private:
  const Actor actor_;
  const Clock& clock_;
};

}  // namespace outport::store
