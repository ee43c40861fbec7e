#pragma once

#include <memory>

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

// Locks and opens the data folder. If a crash interrupted the last step of a CA rotation, completes
// that step. An error names the configuration key, the file or the folder, and says what to do.
// Blocks.
Result<OpenedStore> OpenStore(const Config& config, FileSystem& files, const Log& log);

// Checks what a start of the store checks, and fails with the same errors. Unlike a start, it
// neither locks the data folder nor binds the ports. Blocks.
Result<void> CheckStore(const Config& config);

// Returns the certificate files of the registry port.
CertificateFiles RegistryCertificateFiles(const Config& config);

}  // namespace outport::store
