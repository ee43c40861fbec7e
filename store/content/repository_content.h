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

// The content of all repositories, in the MetaStore and the BlobStore. These classes have the rules
// for what a push needs and what a pull sees. Each mutation is one transaction that appends its
// changes (I10). The transaction first locks the blobs and the child manifests that it names,
// each in byte order of the keys. So two pushes that name the same blobs never deadlock. Safe for
// several threads. Everything here blocks.
struct Content {
  explicit Content(const Blobs::Parts& parts)
      : blobs(parts),
        links(blobs),
        manifests({.meta = parts.meta,
                   .clock = parts.clock,
                   .store_clock = parts.store_clock,
                   .times = parts.times}),
        referrers(parts.meta),
        catalog(parts.meta) {}

  Blobs blobs;
  Links links;
  Manifests manifests;
  Referrers referrers;
  Catalog catalog;
};

}  // namespace outport::store
