#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "registry/oci/digest.h"
#include "registry/oci/name.h"

// The question that a node asks the store, and its own replica: which manifest does a reference
// name, or does a repository hold a blob. Values.
namespace outport {

struct ResolveQuestion {
  enum class Kind { kManifest, kBlob };

  RepositoryName repository;
  Kind kind = Kind::kManifest;
  Reference reference;  // of a blob: its digest
  auto operator<=>(const ResolveQuestion&) const = default;
};

ResolveQuestion AskManifest(RepositoryName repository, Reference reference);
ResolveQuestion AskBlob(RepositoryName repository, Digest digest);
// For logs and errors: "manifest team/app:latest", "blob team/app@sha256:…". Different questions
// have different texts.
std::string ToString(const ResolveQuestion& question);

struct ResolveAnswer {
  struct Content {
    Digest digest;
    std::string media_type;  // of a manifest; empty for a blob
    uint64_t size_bytes = 0;
  };
  std::optional<Content> content;  // nullopt: the repository does not hold it
  bool repository_known = false;   // the repository exists

  bool found() const { return content.has_value(); }
};

}  // namespace outport
