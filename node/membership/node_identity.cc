#include "node/membership/node_identity.h"

#include <utility>

#include "registry/base/file.h"
#include "registry/security/pki/pki.h"

namespace outport::node {

Result<NodeIdentity> LoadNodeIdentity(const std::filesystem::path& data) {
  const std::filesystem::path pki = data / "pki";
  std::error_code failure;
  const auto status = std::filesystem::status(pki / "identity.crt", failure);
  if (!std::filesystem::status_known(status)) {
    return Error{ErrorCode::kFailedPrecondition,
                 "cannot read the data folder " + data.native() + ": " + failure.message() +
                     "; run this command as the user that owns the folder"};
  }
  if (!std::filesystem::exists(status)) {
    return Error{ErrorCode::kFailedPrecondition,
                 "the data folder " + data.native() +
                     " has not joined a fleet; run 'outport-node join --data " + data.native() +
                     "' with a token of 'outportctl node invite'"};
  }
  TRY_VOID(CheckPrivateFolder(pki));
  NodeIdentity node;
  TRY(node.tls.certificate_chain, ReadWholeFile(pki / "identity.crt"));
  TRY(node.tls.private_key, ReadSecretFile(pki / "identity.key"));
  TRY(node.tls.authorities, ReadWholeFile(pki / "authorities.crt"));
  TRY(const CertificateIdentity identity, pki::Inspect(node.tls.certificate_chain));
  if (identity.role != Role::kNode) {
    return Error{ErrorCode::kFailedPrecondition,
                 (pki / "identity.crt").native() + " is not a node certificate"};
  }
  node.name = identity.name;
  node.domain = identity.domain;
  return node;
}

}  // namespace outport::node
