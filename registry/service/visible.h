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

// Names of repositories that begin alike; or one name.
struct NameRange {
  std::string prefix;
  bool exact = false;  // `prefix` itself alone
};

// Which repositories a caller may pull from, and where in the order of names they lie, so that a
// list need not pass over all the others. A value.
class Visible {
 public:
  // What `accepts` accepts lies in `ranges`, which may overlap; without them, anywhere.
  template <class Accepts>
    requires(std::predicate<const Accepts&, const RepositoryName&> &&
             !std::same_as<std::remove_cvref_t<Accepts>, Visible>)
  Visible(Accepts accepts, std::vector<NameRange> ranges = {NameRange{}})
      : accepts_(std::move(accepts)), ranges_(Disjoint(std::move(ranges))) {}

  bool operator()(const RepositoryName& name) const { return accepts_(name); }
  // In byte order, none within another.
  const std::vector<NameRange>& ranges() const { return ranges_; }

 private:
  static std::vector<NameRange> Disjoint(std::vector<NameRange> ranges);

  std::function<bool(const RepositoryName&)> accepts_;
  std::vector<NameRange> ranges_;
};

// What the caller's grants let it pull.
Visible VisibleTo(const Rights& rights);

}  // namespace outport
