#include "registry/records/resolve.h"

#include <utility>

namespace outport {

ResolveQuestion AskManifest(RepositoryName repository, Reference reference) {
  return {std::move(repository), ResolveQuestion::Kind::kManifest, std::move(reference)};
}

ResolveQuestion AskBlob(RepositoryName repository, Digest digest) {
  return {std::move(repository), ResolveQuestion::Kind::kBlob, std::move(digest)};
}

std::string ToString(const ResolveQuestion& question) {
  const bool blob = question.kind == ResolveQuestion::Kind::kBlob;
  const bool digest = std::holds_alternative<Digest>(question.reference);
  return (blob ? "blob " : "manifest ") + question.repository.ToString() + (digest ? '@' : ':') +
         ToString(question.reference);
}

}  // namespace outport
