#include "registry/security/tls/list_history.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

namespace outport {
namespace {

using openssl::CertificatePtr;

constexpr size_t kMaxKnown = 1000;  // authorities, of which the history drops the oldest

bool HaveSameKey(const X509* one, const X509* other) {
  return EVP_PKEY_eq(X509_get0_pubkey(one), X509_get0_pubkey(other)) == 1;
}

bool IsSelfIssued(X509* certificate) {
  return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
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

constexpr char kFix[] =
    "; put its current list into the file, or restart the daemon if the file is right";

}  // namespace

bool ListHistory::Entry::IsOlderThan(const Entry& other) const {
  if (!number.empty() && !other.number.empty() && number != other.number) {
    return std::pair(number.size(), number) < std::pair(other.number.size(), other.number);
  }
  return this_update < other.this_update;
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
    Entry entry{Share(issuer), openssl::NumberOf(list.get()), this_update};
    const auto same = std::ranges::find_if(
        newest, [&](const Entry& other) { return HaveSameKey(other.authority.get(), issuer); });
    if (same == newest.end()) {
      newest.push_back(std::move(entry));
    } else if (same->IsOlderThan(entry)) {
      *same = std::move(entry);
    }
  }
  return newest;
}

// Follows the chain of `authority` upwards. If an issuer in this chain is unknown, a client may
// send its certificate, so any authority that may issue CA certificates can complete the chain.
bool ListHistory::IsTrusted(X509* authority, const std::vector<CertificatePtr>& trusted) const {
  std::vector<X509*> chain{authority};
  for (size_t i = 0; i < chain.size(); ++i) {
    X509* const one = chain[i];
    const auto has_its_key = [one](const auto& other) { return HaveSameKey(other.get(), one); };
    if (std::ranges::any_of(trusted, has_its_key)) return true;
    if (IsSelfIssued(one)) continue;
    const auto issued_it = [one](const auto& other) {
      return X509_check_issued(other.get(), one) == X509_V_OK;
    };
    if (std::ranges::any_of(trusted, issued_it)) return true;
    bool has_known_issuer = false;
    for (const auto& other : known_) {
      if (!issued_it(other)) continue;
      has_known_issuer = true;
      if (std::ranges::find(chain, other.get()) == chain.end()) chain.push_back(other.get());
    }
    const auto may_issue_authorities = [](const auto& other) {
      return X509_get_pathlen(other.get()) != 0;
    };
    if (!has_known_issuer && std::ranges::any_of(trusted, may_issue_authorities)) return true;
  }
  return false;
}

Result<void> ListHistory::Check(const ClientTrustOptions& next) const {
  TRY(const auto trusted, ForeignAuthorities(next));
  TRY(const auto newest, NewestLists(next));
  for (const Entry& before : entries_) {
    X509* const authority = before.authority.get();
    const auto now = std::ranges::find_if(newest, [authority](const Entry& entry) {
      return HaveSameKey(entry.authority.get(), authority);
    });
    if (now == newest.end()) {
      if (!IsTrusted(authority, trusted)) continue;
      return Error{ErrorCode::kFailedPrecondition, next.lists_name + ": the revocation list of " +
                                                       Describe(authority) + " is missing" + kFix};
    }
    if (now->IsOlderThan(before)) {
      return Error{ErrorCode::kFailedPrecondition, next.lists_name + ": the revocation list of " +
                                                       Describe(authority) +
                                                       " is older than the one in use" + kFix};
    }
  }
  return {};
}

void ListHistory::Record(const ClientTrustOptions& used) {
  auto authorities = ForeignAuthorities(used);
  auto newest = NewestLists(used);
  if (!authorities.has_value() || !newest.has_value()) return;
  for (Entry& entry : *newest) {
    std::erase_if(entries_, [&](const Entry& other) {
      return HaveSameKey(other.authority.get(), entry.authority.get());
    });
    entries_.push_back(std::move(entry));
  }
  for (CertificatePtr& authority : *authorities) {
    std::erase_if(known_,
                  [&](const auto& other) { return X509_cmp(other.get(), authority.get()) == 0; });
    known_.push_back(std::move(authority));
  }
  if (known_.size() > kMaxKnown) {
    known_.erase(known_.begin(), known_.end() - static_cast<ptrdiff_t>(kMaxKnown));
  }
  if (entries_.size() > kMaxKnown) {
    entries_.erase(entries_.begin(), entries_.end() - static_cast<ptrdiff_t>(kMaxKnown));
  }
}

}  // namespace outport
