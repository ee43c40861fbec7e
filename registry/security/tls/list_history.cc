#include "registry/security/tls/list_history.h"

#include <openssl/pem.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "registry/base/clock.h"

namespace outport {
namespace {

using openssl::CertificatePtr;
using std::chrono::system_clock;

constexpr size_t kMaxEntries = 1000;  // of which the history drops the oldest

// Returns whether two certificates are of one authority: OpenSSL finds a list by the name, and
// verifies it with the key.
bool AreOfOneAuthority(const X509* one, const X509* other) {
  return EVP_PKEY_eq(X509_get0_pubkey(one), X509_get0_pubkey(other)) == 1 &&
         X509_NAME_cmp(X509_get_subject_name(one), X509_get_subject_name(other)) == 0;
}

Result<std::vector<CertificatePtr>> ForeignAuthorities(const ClientTrustOptions& options) {
  if (options.foreign.empty()) return std::vector<CertificatePtr>();
  return openssl::ReadCertificates(options.foreign);
}

CertificatePtr Share(X509* certificate) {
  X509_up_ref(certificate);
  return CertificatePtr(certificate);
}

std::string Describe(X509* authority) {
  const openssl::BioPtr text = openssl::Writer();
  X509_NAME_print_ex(text.get(), X509_get_subject_name(authority), 0, XN_FLAG_RFC2253);
  return "'" + openssl::Written(text.get()) + "'";
}

std::string ToPem(X509_CRL* list) {
  const openssl::BioPtr text = openssl::Writer();
  if (PEM_write_bio_X509_CRL(text.get(), list) != 1) std::abort();
  return openssl::Written(text.get());
}

constexpr char kFix[] =
    "; put its current list into the file, or restart the daemon if the file is right";

}  // namespace

bool ListHistory::Entry::IsOlderThan(const Entry& other) const {
  if (number.empty() || other.number.empty()) return this_update < other.latest;
  if (number == other.number) return this_update < other.number_update;
  return std::pair(number.size(), number) < std::pair(other.number.size(), other.number);
}

std::string ListHistory::Entry::WhyNotValid(system_clock::time_point now) const {
  if (now < this_update) return " is not valid before " + FormatTime(this_update);
  if (now >= next_update) return " expired at " + FormatTime(next_update);
  return {};
}

void ListHistory::Entry::Follow(const Entry& before) {
  latest = std::max(latest, before.latest);
  if (!number.empty()) return;
  number = before.number;
  number_update = before.number_update;
}

Result<std::vector<ListHistory::Entry>> ListHistory::NewestLists(
    const ClientTrustOptions& options) {
  std::vector<Entry> newest;
  if (options.lists.empty()) return newest;
  TRY(const auto authorities, ForeignAuthorities(options));
  TRY(const auto lists, openssl::ReadRevocationLists(options.lists));
  for (const auto& list : lists) {
    X509* const issuer = openssl::IssuerOf(list.get(), authorities);
    if (issuer == nullptr) continue;
    TRY(const auto this_update, openssl::ThisUpdateOf(list.get()));
    // A list without an end never expires.
    const auto next_update =
        openssl::NextUpdateOf(list.get()).value_or(system_clock::time_point::max());
    Entry entry{.authority = Share(issuer),
                .list = ToPem(list.get()),
                .this_update = this_update,
                .next_update = next_update,
                .number = openssl::NumberOf(list.get()),
                .number_update = this_update,
                .latest = this_update};
    const auto same = std::ranges::find_if(newest, [&](const Entry& other) {
      return AreOfOneAuthority(other.authority.get(), issuer);
    });
    if (same == newest.end()) {
      newest.push_back(std::move(entry));
    } else if (same->IsOlderThan(entry)) {
      *same = std::move(entry);
    }
  }
  return newest;
}

Result<void> ListHistory::Check(const ClientTrustOptions& next,
                                system_clock::time_point now) const {
  TRY(const auto trusted, ForeignAuthorities(next));
  TRY(const auto newest, NewestLists(next));
  for (const Entry& before : entries_) {
    X509* const authority = before.authority.get();
    const auto reject = [&](const std::string& why) {
      return Error{ErrorCode::kFailedPrecondition,
                   next.lists_name + ": the revocation list of " + Describe(authority) + why};
    };
    const auto entry = std::ranges::find_if(newest, [authority](const Entry& other) {
      return AreOfOneAuthority(other.authority.get(), authority);
    });
    if (entry == newest.end()) {
      const bool stays = std::ranges::any_of(trusted, [authority](const CertificatePtr& other) {
        return AreOfOneAuthority(other.get(), authority);
      });
      if (stays) return reject(std::string(" is missing") + kFix);
      continue;
    }
    if (entry->IsOlderThan(before)) {
      return reject(std::string(" is older than the one in use") + kFix);
    }
    const std::string invalid = entry->WhyNotValid(now);
    if (!invalid.empty() && before.WhyNotValid(now).empty()) {
      return reject(invalid + "; the one in use is still valid");
    }
  }
  return {};
}

std::string ListHistory::DepartedLists(const ClientTrustOptions& next) const {
  std::string lists;
  const auto newest = NewestLists(next);
  if (!newest.has_value()) return lists;
  for (const Entry& entry : entries_) {
    const bool has_list = std::ranges::any_of(*newest, [&entry](const Entry& other) {
      return AreOfOneAuthority(other.authority.get(), entry.authority.get());
    });
    if (!has_list) lists += entry.list;
  }
  return lists;
}

void ListHistory::Record(const ClientTrustOptions& used) {
  auto newest = NewestLists(used);
  if (!newest.has_value()) return;
  for (Entry& entry : *newest) {
    const auto before = std::ranges::find_if(entries_, [&entry](const Entry& other) {
      return AreOfOneAuthority(other.authority.get(), entry.authority.get());
    });
    if (before != entries_.end()) {
      entry.Follow(*before);
      entries_.erase(before);
    }
    entries_.push_back(std::move(entry));
  }
  if (entries_.size() > kMaxEntries) {
    entries_.erase(entries_.begin(), entries_.end() - static_cast<ptrdiff_t>(kMaxEntries));
  }
}

}  // namespace outport
