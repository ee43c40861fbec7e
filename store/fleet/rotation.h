#pragma once

#include <chrono>
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
#include "store/authority/fleet_files.h"
#include "store/fleet/administrator.h"
#include "store/fleet/connected_nodes.h"

namespace outport::store {

// Rotates the issuing CA, or the root together with the issuing CA, without downtime.
// authority.proto defines the phases. The row `rotation` and the files of DATA/pki contain the
// state. After a crash at any point, Recover() continues from this state. Safe for several threads;
// blocks.
class Rotation {
 public:
  // The referenced objects outlive the rotation.
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
    // Returns the time by the store clock while the wall clock may be wrong, else nullopt.
    std::function<std::optional<std::chrono::system_clock::time_point>()> store_time_in_doubt = {};
  };
  explicit Rotation(Parts parts) : parts_(std::move(parts)) {}

  // Call it once, at start. If a crash interrupted the last step of a rotation, completes that
  // step. Publishes the state. If the trust bundle in the metadata is out of date, commits a new
  // bundle for the nodes.
  Result<void> Recover();
  // Renews the certificate of the fleet port if a renewal is due: see WriteFleetFiles().
  Result<void> RenewServerCertificate();

  Result<v1::Rotation> Get() const;
  Result<v1::PrepareRotationResponse> Prepare(const v1::PrepareRotationRequest& request);
  // Each of the next three methods takes one step of a rotation. Start() returns kInvalidArgument
  // if the certificates do not belong together. authority.proto lists the other errors.
  Result<v1::Rotation> Start(const v1::StartRotationRequest& request, const Actor& by);
  Result<v1::Rotation> Advance(const v1::AdvanceRotationRequest& request, const Administrator& by);
  Result<v1::Rotation> Undo(const v1::UndoRotationRequest& request, const Administrator& by);

 private:
  using Row = std::optional<v1::RotationRow>;
  Result<Row> ReadState() const;
  RenewalTime Now() const;
  Result<pki::Authority> LoadCurrent() const;
  Result<TrustState> TrustStateAt(const Row& row) const;
  // Commits `row` (nullopt: the rotation is over) and the trust bundle for the nodes. Unless
  // `revoked_issuer` is empty, also revokes all certificates that this issuer has issued. Then
  // publishes the new state. The audit log records `forced`.
  Result<void> Commit(const Row& before, const Row& row, const std::string& revoked_issuer,
                      const Actor& by, bool forced = false);
  // Makes the next authority the current authority, after Commit() has committed the last step.
  Result<void> Complete(const v1::RotationRow& row, const Actor& by);
  // Applies the state to the authorities, the access directory and the files of the fleet port.
  Result<void> Publish(const TrustState& state) const;
  Result<v1::Rotation> Describe(const Row& row) const;
  // Lists the certificates of `issuer` whose holders have no certificate of `other` yet.
  Result<void> FillCertificates(const std::string& issuer, const std::string& other,
                                v1::Rotation& rotation) const;
  // Visits the valid certificates of clients and administrators.
  Result<void> ForEachValid(const std::string& issuer,
                            const std::function<void(const v1::CertificateRow&)>& see) const;
  // Fails if the rotation must not leave the phase of `row` yet. The step would revoke the
  // certificates of `revoked_issuer` (empty: none).
  Result<void> CheckMayStep(const v1::RotationRow& row, const std::string& revoked_issuer,
                            bool force, const Administrator& by) const;
  Result<bool> HasIssued(const std::string& issuer) const;

  const Parts parts_;
  mutable Mutex changing_;  // one step of a rotation holds it from start to end
};

}  // namespace outport::store
