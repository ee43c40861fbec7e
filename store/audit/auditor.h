#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "registry/base/clock.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// The author and the origin of a change. Long texts that a client or a node sends about itself are
// truncated.
struct Actor {
  std::string kind;  // "administrator", "user", "node" or "store"
  std::string name;
  std::string certificate_name = {};  // the name of the user's certificate
  std::string node = {};              // the node that relayed the change
  std::string address = {};
  std::string request_id = {};

  static Actor Administrator(std::string name, std::string address = {},
                             std::string request_id = {});
  static Actor Node(std::string name, std::string address);
  // Returns the store as the author, for changes that nobody requested.
  static Actor Store();
  // Returns the user of a registry request as the author.
  static Actor Of(const Caller& caller);
};

// Adds entries of one actor to the audit log. Each entry is part of the transaction that makes the
// change:
//
//   const Auditor auditor(actor, clock_);
//   ...
//   auditor.Add(transaction, "user.remove", "user/" + name, RowJson(before), nullptr);
//
// An entry is one JSON object: time, action, object, actor, before, after. `clock` outlives the
// Auditor.
class Auditor {
 public:
  Auditor(Actor actor, const Clock& clock) : actor_(std::move(actor)), clock_(clock) {}

  // `action` has the form NOUN.VERB. `before` and `after` are the object before and after the
  // change; null means that the object does not exist.
  void Add(MetaTransaction& transaction, std::string_view action, std::string_view object,
           const boost::json::value& before, const boost::json::value& after) const;

  const Actor& actor() const { return actor_; }

 private:
  const Actor actor_;
  const Clock& clock_;
};

}  // namespace outport::store
