#pragma once

#include <memory>
#include <string>
#include <vector>

#include "registry/base/data_format.h"
#include "registry/base/file.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/security/tls/served_certificate.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "registry/storage/meta_store.h"
#include "store/authority/authority_files.h"
#include "store/config.h"
#include "store/fleet/store_identity.h"

namespace outport::store {

// The open folder, databases and certificates of a store.
struct OpenedStore {
  FolderLock lock;
  std::unique_ptr<MetaStore> meta;
  std::unique_ptr<DiskBlobStore> blobs;
  StoreIdentity identity;
  AuthorityFiles authority;
  LoadedCertificate certificate;  // the certificate of the registry port
};

// Locks and opens the data folder, and upgrades its formats. If a crash interrupted the last step
// of a CA rotation, completes that step. Refuses data that is newer than this program before it
// changes anything. An error names the configuration key, the file or the folder, and says what to
// do. `version` is the version of this program. Blocks.
Result<OpenedStore> OpenStore(const Config& config, FileSystem& files, const Log& log,
                              const std::string& version);

// Checks what a start of the store checks, and fails with the same errors. Unlike a start, it
// neither locks the data folder nor binds the ports. Returns warnings. Blocks.
Result<std::vector<std::string>> CheckStore(const Config& config);

// Reads the formats of a store's data folder, which a running store may use. kFailedPrecondition if
// the folder holds no store. See DataFormat::Read() for the other errors. Blocks.
Result<DataFormat> ReadStoreFormat(const std::filesystem::path& data);

// Returns the certificate files of the registry port.
CertificateFiles RegistryCertificateFiles(const Config& config);

}  // namespace outport::store
