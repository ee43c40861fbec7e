#pragma once

#include "registry/security/grants/access_directory.h"
#include "store/audit/auditor.h"

namespace outport::store {

// An authenticated administrator, with the name for the audit log and the client certificate of the
// call.
struct Administrator {
  Actor actor;
  CertificateId certificate;
};

}  // namespace outport::store
