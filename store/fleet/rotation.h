#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "outport/v1/authority.pb.h"
#include "outport/v1/record.pb.h"
#include "registry/base/clock.h"
#include "registry/base/file.h"
#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/access/access_follower.h"
#include "store/authority/authorities.h"
#include "store/fleet/administrator.h"
#include "store/fleet/connected_nodes.h"

namespace outport::store {

// Replaces the fleet's issuing CA, or its root and with it that, while nodes and clients go on
// (authority.proto has the phases). What a phase means is derived from the row `rotation` and the
// files of DATA/pki: whatever instant the store dies at, it goes on where it was. Safe for several
// threads; blocks.
class Rotation {
 public:
  // What it borrows outlives it.
  struct Parts {
    MetaStore& meta;
    Authorities& authorities;
    AccessFollower& follower;
    const ConnectedNodes& nodes;
    FileSystem& files;
    const Clock& clock;
    Log log;
    std::filesystem::path pki;  // DATA/pki
    std::string domain;
  };
  explicit Rotation(Parts parts) : parts_(std::move(parts)) {}

  // At start: finishes a rotation whose last step was begun, brings `authorities` and the files of
  // the fleet's port to where the rest says, and tells nodes of it if they were told of something
  // else.
  Result<void> Recover();
  // Renews the store's own certificate for the fleet's port when a third of its life is over.
  Result<void> RenewServerCertificate();

  Result<v1::Rotation> Get() const;
  Result<v1::PrepareRotationResponse> Prepare(const v1::PrepareRotationRequest& request);
  // kInvalidArgument: certificates that do not belong together. Others as authority.proto says.
  Result<v1::Rotation> Start(const v1::StartRotationRequest& request, const Actor& by);
  Result<v1::Rotation> Advance(const v1::AdvanceRotationRequest& request, const Administrator& by);
  Result<v1::Rotation> Undo(const v1::UndoRotationRequest& request, const Administrator& by);

 private:
  using Row = std::optional<v1::RotationRow>;
  Result<Row> Read() const;
  Result<pki::Authority> Current() const;
  Result<TrustState> TrustStateAt(const Row& row) const;
  // Enters `row` (nullopt: the rotation is over), what it makes nodes trust, and that all which
  // `refused` issued is refused; then brings everything there. `forced` is for the audit log.
  Result<void> Enter(const Row& before, const Row& row, const std::string& refused, const Actor& by,
                     bool forced = false);
  // The last step, once it is entered.
  Result<void> Finish(const v1::RotationRow& row, const Actor& by);
  Result<void> Show(const TrustState& trust) const;
  Result<v1::Rotation> Describe(const Row& row) const;
  // Those of `issuer` whose holders have none of `other` yet.
  Result<void> FillCertificates(const std::string& issuer, const std::string& other,
                                v1::Rotation& rotation) const;
  // Certificates of clients and administrators that are good still.
  Result<void> ForEachValid(const std::string& issuer,
                            const std::function<void(const v1::CertificateRow&)>& see) const;
  // Whether the step away from `row` may be taken, after which `refused` (empty: nobody) is
  // refused.
  Result<void> CheckStep(const v1::RotationRow& row, const std::string& refused, bool force,
                         const Administrator& by) const;
  Result<bool> HasIssued(const std::string& issuer) const;

  const Parts parts_;
  mutable Mutex changing_;  // one change at a time
};

}  // namespace outport::store
