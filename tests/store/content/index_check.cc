#include "tests/store/content/index_check.h"

#include "registry/records/rows.h"
#include "store/content/collection.h"
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
      const bool trashed = *HasRow(meta_, Key("trashed/", {key[1], key[0]}));
      if (!trashed) Want("manifest/", {key[1], key[0]}, "a holder");
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
    Each("link/", [&](const Parts& key, const std::string& value) { Links(key, value); });
    Each("condemned/", [&](const Parts& key, const std::string&) {
      const auto link = ReadRow<v1::LinkRow>(meta_, Key("link/", {key[1], key[2]}));
      if (!link->has_value() || keys::TimeText((*link)->due_ms()) != key[0]) {
        Say("a place in the queue without its link");
      }
    });
    Each("blob/", [&](const Parts& key, const std::string& value) { Blobs(key, value); });
    Each("untagged/",
         [&](const Parts& key, const std::string&) { Want("manifest/", key, "a candidate"); });
    Each("trashed/", [&](const Parts& key, const std::string& value) {
      const auto row = *ParseRow<v1::TrashedRow>("", value);
      Want("trash/", {row.run(), "manifest", key[0], key[1]}, "a trashed manifest");
      Want("run/", {row.run()}, "a trashed manifest");
      Want("content/", {key[1]}, "a trashed manifest");
      if (*HasRow(meta_, Key("manifest/", key))) Say("a manifest that is also in the trash");
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
    const bool waits =
        !row.subject().empty() && *HasRow(meta_, Key("orphaned/", {key[0], row.subject()}));
    if (!IsKept(key, row) && !waits) Want("untagged/", key, "a manifest that nothing keeps");
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

  void Links(const Parts& key, const std::string& value) {
    Want("linked/", {key[1], key[0]}, "a link");
    Want("blob/", {key[1]}, "a link");
    const auto row = *ParseRow<v1::LinkRow>("", value);
    const auto reference = *Collection::FindReference(meta_, Repo(key[0]), *Digest::Parse(key[1]));
    const bool condemned = row.condemned_ms() != 0;
    if (condemned && reference.has_value()) Say("a condemned link that a manifest refers to");
    if (!condemned && !reference.has_value()) Say("a link of nobody that is not condemned");
    if (condemned != (row.due_ms() != 0)) Say("a link with half a condemnation");
    if (condemned) {
      Want("condemned/", {keys::TimeText(row.due_ms()), key[0], key[1]}, "a condemned link");
    }
  }

  void Blobs(const Parts& key, const std::string& value) {
    const auto row = *ParseRow<v1::BlobRow>("", value);
    const bool linked = !meta_.Scan({.prefix = Key("linked/", {key[0], ""})})->empty();
    const bool trashed = row.state() == v1::BLOB_STATE_TRASHED;
    if (linked == trashed)
      Say("a blob that is " + std::string(linked ? "linked and trashed" : "lost"));
    if (trashed) Want("trash/", {row.run(), "blob", "", key[0]}, "a trashed blob");
  }

  // Returns whether a tag, an index or a subject keeps the manifest.
  bool IsKept(const Parts& key, const v1::ManifestRow& row) {
    if (!meta_.Scan({.prefix = Key("tagged/", {key[0], key[1], ""})})->empty()) return true;
    const auto parent = *Collection::FindReference(meta_, Repo(key[0]), *Digest::Parse(key[1]));
    if (parent.has_value()) return true;
    return !row.subject().empty() && *HasRow(meta_, Key("manifest/", {key[0], row.subject()}));
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
