#pragma once

#include "registry/access/admission.h"
#include "registry/base/holder.h"

namespace outport {

// Returns in whose name the sender uses resources: the user's, else the name in the certificate
// that this program verified, else the peer's origin (the client's network, or the relaying node).
Holder HolderOf(const Sender& sender);

}  // namespace outport
