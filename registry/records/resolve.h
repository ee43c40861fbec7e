#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "registry/oci/digest.h"
#include "registry/oci/name.h"

// Value types of a question that a node asks the store or its own replica. The question is: which
// manifest does a reference name, or does a repository link a blob?
namespace outport {

struct ResolveQuestion {
  enum class Kind { kManifest, kBlob };

  RepositoryName repository;
  Kind kind = Kind::kManifest;
  Reference reference;  // if the question is about a blob: the blob's digest
  auto operator<=>(const ResolveQuestion&) const = default;
};

ResolveQuestion AskManifest(RepositoryName repository, Reference reference);
ResolveQuestion AskBlob(RepositoryName repository, Digest digest);
// Returns the question for logs and errors, for example "manifest team/app:latest" or "blob
// team/app@sha256:…". Different questions have different texts.
std::string ToString(const ResolveQuestion& question);

struct ResolveAnswer {
  struct Content {
    Digest digest;
    std::string media_type;  // the media type of a manifest; empty for a blob
    uint64_t size_bytes = 0;
  };
  std::optional<Content> content;  // nullopt: the repository does not have the content
  bool repository_known = false;   // whether the repository exists

  bool found() const { return content.has_value(); }
};

}  // namespace outport
