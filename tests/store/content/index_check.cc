#include "tests/store/content/index_check.h"

#include "registry/records/rows.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

using Parts = std::vector<std::string>;

// Each row, with the parts of its key.
class Check {
 public:
  explicit Check(const MetaStore& meta) : meta_(meta) {}

  std::vector<std::string> Run() {
    Each("tag/", [&](const Parts& key, const std::string& value) {
      const auto row = *ParseRow<v1::TagRow>("", value);
      Want("tagged/", {key[0], row.digest(), key[1]}, "a tag");
      Want("manifest/", {key[0], row.digest()}, "a tag");
    });
    Each("tagged/", [&](const Parts& key, const std::string&) {
      const auto row = ReadRow<v1::TagRow>(meta_, Key("tag/", {key[0], key[2]}));
      if (!row->has_value() || (*row)->digest() != key[1]) Say("a trace of the tag " + key[2]);
    });
    Each("manifest/", [&](const Parts& key, const std::string& value) { Manifests(key, value); });
    Each("holder/", [&](const Parts& key, const std::string&) {
      Want("manifest/", {key[1], key[0]}, "a holder");
    });
    Each("content/", [&](const Parts& key, const std::string&) {
      if (meta_.Scan({.prefix = Key("holder/", {key[0], ""})})->empty()) Say("bytes of nobody");
    });
    Each("reference/", [&](const Parts& key, const std::string&) {
      Want("manifest/", {key[1], key[2]}, "a reference");
    });
    Each("referrer/", [&](const Parts& key, const std::string&) {
      const auto row = ReadRow<v1::ManifestRow>(meta_, Key("manifest/", {key[0], key[2]}));
      if (!row->has_value() || (*row)->subject() != key[1]) Say("a referrer that is none");
    });
    Each("link/", [&](const Parts& key, const std::string&) {
      Want("linked/", {key[1], key[0]}, "a link");
      Want("blob/", {key[1]}, "a link");
    });
    Each("linked/", [&](const Parts& key, const std::string&) {
      Want("link/", {key[1], key[0]}, "a way back");
    });
    return std::move(problems_);
  }

 private:
  static std::string Key(const std::string& prefix, const Parts& parts) {
    std::string key = prefix;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i > 0) key += keys::kSeparator;
      key += parts[i];
    }
    return key;
  }
  void Say(const std::string& problem) { problems_.push_back("indexes: " + problem); }
  void Want(const std::string& prefix, const Parts& parts, const std::string& who) {
    const std::string key = Key(prefix, parts);
    if (!*HasRow(meta_, key)) Say(who + " wants " + Printable(key));
  }

  void Manifests(const Parts& key, const std::string& value) {
    const auto row = *ParseRow<v1::ManifestRow>("", value);
    Want("holder/", {key[1], key[0]}, "a manifest");
    if (!row.subject().empty()) Want("referrer/", {key[0], row.subject(), key[1]}, "a manifest");
    const auto body = *meta_.Get(Key("content/", {key[1]}));
    if (!body.has_value()) return Say("a manifest without bytes");
    const auto manifest = Manifest::Parse(*body, row.media_type());
    if (!manifest.has_value()) return;  // corrupted by the test
    for (const auto* children : {&manifest->blobs, &manifest->manifests}) {
      for (const Descriptor& child : *children) {
        Want("reference/", {child.digest.ToString(), key[0], key[1]}, "a manifest");
      }
    }
    for (const Descriptor& blob : manifest->blobs) {
      Want("link/", {key[0], blob.digest.ToString()}, "a manifest");
    }
  }

  template <class See>
  void Each(const std::string& prefix, See see) {
    const auto rows = meta_.Scan({.prefix = prefix, .after = {}, .limit = 100000});
    for (const KeyValue& row : *rows) {
      Parts parts(1);
      for (const char c : keys::After(row.key, prefix)) {
        if (c == keys::kSeparator) {
          parts.emplace_back();
        } else {
          parts.back() += c;
        }
      }
      see(parts, row.value);
    }
  }

  const MetaStore& meta_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> ProblemsOfIndexes(const MetaStore& meta) { return Check(meta).Run(); }

}  // namespace outport::store
