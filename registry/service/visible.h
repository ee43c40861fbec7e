#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "registry/oci/name.h"
#include "registry/security/grants/rights.h"

namespace outport {

// A set of repository names: all names with one prefix, or a single name.
struct NameRange {
  std::string prefix;
  bool exact = false;  // only the name `prefix` itself
};

// The repositories that a caller may pull from. A predicate decides for each name. The ranges
// contain all accepted names, so that a list can skip every name outside of them. A value type.
class Visible {
 public:
  // REQUIRES: each name that `accepts` accepts is in one of `ranges`. The ranges may overlap. By
  // default, one range contains all names.
  template <class Accepts>
    requires(std::predicate<const Accepts&, const RepositoryName&> &&
             !std::same_as<std::remove_cvref_t<Accepts>, Visible>)
  Visible(Accepts accepts, std::vector<NameRange> ranges = {NameRange{}})
      : accepts_(std::move(accepts)), ranges_(Disjoint(std::move(ranges))) {}

  bool operator()(const RepositoryName& name) const { return accepts_(name); }
  // The ranges are in byte order. No range contains another range.
  const std::vector<NameRange>& ranges() const { return ranges_; }

 private:
  static std::vector<NameRange> Disjoint(std::vector<NameRange> ranges);

  std::function<bool(const RepositoryName&)> accepts_;
  std::vector<NameRange> ranges_;
};

// Returns the repositories that a caller with these rights may pull from.
Visible VisibleTo(const Rights& rights);

}  // namespace outport
