#include "node/membership/credentials.h"

#include <utility>

#include "registry/base/file.h"
#include "registry/security/pki/pki.h"

namespace outport::node {

Result<Credentials> LoadCredentials(const std::filesystem::path& data) {
  const std::filesystem::path pki = data / "pki";
  std::error_code ignored;
  if (!std::filesystem::exists(pki / "identity.crt", ignored)) {
    return Error{ErrorCode::kFailedPrecondition,
                 "the data folder " + data.native() +
                     " has not joined a fleet; run 'outport-node join --data " + data.native() +
                     "' with a token of 'outportctl node invite'"};
  }
  TRY_VOID(CheckPrivateFolder(pki));
  Credentials credentials;
  TRY(credentials.identity.certificate_chain, ReadWholeFile(pki / "identity.crt"));
  TRY(credentials.identity.private_key, ReadSecretFile(pki / "identity.key"));
  TRY(credentials.identity.authorities, ReadWholeFile(pki / "authorities.crt"));
  TRY(const CertificateIdentity identity, pki::Inspect(credentials.identity.certificate_chain));
  if (identity.role != Role::kNode) {
    return Error{ErrorCode::kFailedPrecondition,
                 (pki / "identity.crt").native() + " is not a node certificate"};
  }
  credentials.name = identity.name;
  return credentials;
}

}  // namespace outport::node
