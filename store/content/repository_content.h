#pragma once

#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"
#include "store/content/blobs.h"
#include "store/content/catalog.h"
#include "store/content/links.h"
#include "store/content/manifests.h"
#include "store/content/referrers.h"

namespace outport::store {

// The registry's rules over its two stores, once: what a push must bring, what a pull may see. Each
// mutation is one transaction that appends its change records (I10). Locks are taken in byte order
// of their keys, first blob/<digest> and manifest/<child>, so that the collector and pushes cannot
// miss each other. Safe for several threads; everything here blocks.
struct Content {
  explicit Content(const Blobs::Parts& parts)
      : blobs(parts),
        links(parts.meta, blobs, parts.clock),
        manifests(parts.meta, parts.clock),
        referrers(parts.meta),
        catalog(parts.meta) {}

  Blobs blobs;
  Links links;
  Manifests manifests;
  Referrers referrers;
  Catalog catalog;
};

}  // namespace outport::store
