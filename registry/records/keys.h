#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "registry/oci/digest.h"
#include "registry/oci/name.h"

// The key layout of a MetaStore. The brackets name the message that is the value. The messages are
// in record.proto, collection.proto, upload.proto and node.proto in proto/outport/v1. A row without
// brackets has an empty value, unless its line names another value. A time in a key is 16 hex
// digits of milliseconds, so that byte order is the order in time.
//
//   repository/<repo>                          [RepositoryRow]
//   tag/<repo>\0<tag>                          [TagRow]
//   tagged/<repo>\0<digest>\0<tag>             the tags of a manifest
//   manifest/<repo>\0<digest>                  [ManifestRow]  manifest visible in the repository
//   content/<digest>                           the exact bytes of a manifest
//   holder/<digest>\0<repo>                    a repository that needs the bytes in content/
//   link/<repo>\0<digest>                      [LinkRow]      blob visible in the repository
//   linked/<digest>\0<repo>                    a repository that links the blob
//   blob/<digest>                              [BlobRow]
//   reference/<child>\0<repo>\0<parent>        the manifest <parent> names the digest <child>
//   referrer/<repo>\0<subject>\0<digest>       [ReferrerRow]
//   upload/<id>                                [UploadRow]    an open upload session
//   intent/<object>                            [IntentRow]    a blob commit in progress
//   change/<sequence, 8 bytes big-endian>      hash and [Change], written by the commit
//   head                                       the change log's head, written by the commit
//   audit/<sequence, 8 bytes big-endian>       hash and JSON, written by the commit
//   audit-head                                 the audit log's head, written by the commit
//   audit-file                                 [AuditFileRow] last exported and last trimmed entry
//   user/<name>                                [UserRow]
//   absent-user/<name>                         [UserRow]      the htpasswd file no longer has it
//   grant/<subject>                            [GrantRow]     of group, certificate, anonymous
//   certificate/<issuer key id>/<serial>       [CertificateRow]
//   revocation/<issuer key id>/<serial>        [RevocationRow]
//   node/<name>                                [NodeRow]
//   invitation/<hash of the secret>            [InvitationRow]
//   store                                      [StoreRow]     the store's epoch and domain
//   trust                                      [TrustRow]     the trust bundle, after a rotation
//   rotation                                   [RotationRow]  the rotation in progress
//   policy                                     [PolicyRow]    the policy in the latest policy entry
//   condemned/<due time>\0<repo>\0<digest>     the queue of condemned links
//   untagged/<repo>\0<digest>                  [UntaggedRow]  a manifest that may be unreferenced
//   orphaned/<repo>\0<subject>                 [OrphanedRow]  a removed manifest; its referrers are
//                                              to become candidates
//   trash/<run>\0<kind>\0<repo>\0<name>        [TrashRow]     what a run removed; <kind> is one of
//                                              manifest, link, blob (empty <repo>) and tag
//   trashed/<repo>\0<digest>                   [TrashedRow]   the run that removed a manifest
//   run/<run>                                  [RunRow]       run ids are in order of time
//   collector                                  [CollectorRow] whether the collector is paused
//   tag-event/<repo>\0<tag>\0<number>          [TagEventRow]  the history of a tag, newest first
//   tag-rule/<name>                            [TagRuleRow]   a rule that protects tags
//   pull/<repo>\0<tag or digest>               [PullRow]      the last pull
//   node-report/<node>                         [NodeReportRow] how far a node reported its pulls
//   retention                                  [RetentionRow] the policies of retention
//   retention-schedule                         [RetentionScheduleRow] the last scheduled run
//   lease/<name>                               [LeaseRow]     the lease of background work
//   owner/<id>                                 [OwnerRow]     a process that may own work
//   clock                                      [ClockRow]     the store clock
//   change-log                                 [ChangeLogRow] how far the change log is trimmed
//   acknowledged/<node>                        [AcknowledgedRow] the node's position in it
//
// Only at a node:
//
//   g/<generation, 16 hex digits>/<key>        the rows of one generation of the replica, under
//                                              the store's keys
//   replica                                    [ReplicaRow]   the replica's position and terms
//   shown                                      [HighWaterMarkRow] the high-water mark
//   cached/<digest>                            [CachedRow]    a copy of a blob
//   pulled/<repo>\0<tag or digest>             [PulledRow]    a pull to report to the store
//
// A node keeps the store's rows of repositories, tags, manifests, referrers and links in
// generations. Users, grants, revocations, trust, and the bytes of manifests (content/) belong to
// no generation.
//
// Names of repositories and tags contain no NUL, and every prefix ends with '/' or NUL. So a scan
// for one repository or tag never returns the rows of another one.
namespace outport::keys {

inline constexpr char kSeparator = '\0';

std::string Repository(const RepositoryName& repository);
std::string TagOf(const RepositoryName& repository, const Tag& tag);
std::string Tagged(const RepositoryName& repository, const Digest& digest, const Tag& tag);
std::string ManifestOf(const RepositoryName& repository, const Digest& digest);
std::string Content(const Digest& digest);
std::string Holder(const Digest& digest, const RepositoryName& repository);
std::string Link(const RepositoryName& repository, const Digest& digest);
std::string Linked(const Digest& digest, const RepositoryName& repository);
std::string Blob(const Digest& digest);
std::string ReferenceOf(const Digest& child, const RepositoryName& repository,
                        const Digest& parent);
std::string Referrer(const RepositoryName& repository, const Digest& subject, const Digest& digest);
std::string Upload(std::string_view id);
std::string Intent(std::string_view object);
std::string User(std::string_view name);
std::string AbsentUser(std::string_view name);
std::string GrantsOf(std::string_view subject);
std::string Certificate(std::string_view issuer_key_id, std::string_view serial);
std::string Revocation(std::string_view issuer_key_id, std::string_view serial);
std::string Node(std::string_view name);
std::string Acknowledged(std::string_view node);
std::string Invitation(std::string_view secret_hash);
std::string Cached(const Digest& digest);
// The row of a condemned link in the queue.
std::string Condemned(int64_t due_ms, const RepositoryName& repository, const Digest& digest);
std::string Untagged(const RepositoryName& repository, const Digest& digest);
std::string Orphaned(const RepositoryName& repository, const Digest& subject);
// `kind` is one of the kinds above. `repository` is empty for a blob.
std::string Trash(std::string_view run, std::string_view kind, std::string_view repository,
                  std::string_view name);
std::string Trashed(const RepositoryName& repository, const Digest& digest);
std::string Run(std::string_view run);
// The events of a tag are numbered in the order of their commits, from 1 on. The key has the
// complement of the number as 16 hex digits, so that a scan finds the newest event first.
std::string TagEvent(const RepositoryName& repository, const Tag& tag, uint64_t number);
// Returns the number in the key of a tag event, or nullopt if the key has none.
std::optional<uint64_t> TagEventNumber(std::string_view key);
std::string TagRule(std::string_view name);
std::string Pull(const RepositoryName& repository, std::string_view reference);
std::string NodeReport(std::string_view node);
std::string Pulled(const RepositoryName& repository, std::string_view reference);
std::string Lease(std::string_view name);
std::string Owner(std::string_view id);
std::string TimeText(int64_t time_ms);                        // 16 hex digits
std::optional<int64_t> ParseTimeText(std::string_view text);  // the inverse
inline constexpr std::string_view kCollector = "collector";
inline constexpr std::string_view kRetention = "retention";
inline constexpr std::string_view kRetentionSchedule = "retention-schedule";
inline constexpr std::string_view kClock = "clock";
inline constexpr std::string_view kChangeLog = "change-log";
inline constexpr std::string_view kStore = "store";
inline constexpr std::string_view kReplica = "replica";
inline constexpr std::string_view kHighWaterMark = "shown";
inline constexpr std::string_view kTrust = "trust";
inline constexpr std::string_view kRotation = "rotation";
inline constexpr std::string_view kPolicy = "policy";
inline constexpr std::string_view kAuditFile = "audit-file";

// Prefixes of scans.
inline constexpr std::string_view kRepositories = "repository/";
inline constexpr std::string_view kTags = "tag/";
inline constexpr std::string_view kManifests = "manifest/";
inline constexpr std::string_view kContents = "content/";
inline constexpr std::string_view kLinks = "link/";
inline constexpr std::string_view kReferrers = "referrer/";
inline constexpr std::string_view kBlobs = "blob/";
inline constexpr std::string_view kUploads = "upload/";
inline constexpr std::string_view kIntents = "intent/";
inline constexpr std::string_view kUsers = "user/";
inline constexpr std::string_view kAbsentUsers = "absent-user/";
inline constexpr std::string_view kGrants = "grant/";
inline constexpr std::string_view kCertificates = "certificate/";
inline constexpr std::string_view kRevocations = "revocation/";
inline constexpr std::string_view kNodes = "node/";
inline constexpr std::string_view kAcknowledged = "acknowledged/";
inline constexpr std::string_view kInvitations = "invitation/";
inline constexpr std::string_view kCachedBlobs = "cached/";
inline constexpr std::string_view kGenerations = "g/";
inline constexpr std::string_view kCondemned = "condemned/";
inline constexpr std::string_view kUntagged = "untagged/";
inline constexpr std::string_view kOrphaned = "orphaned/";
inline constexpr std::string_view kTrash = "trash/";
inline constexpr std::string_view kRuns = "run/";
inline constexpr std::string_view kTagEvents = "tag-event/";
inline constexpr std::string_view kTagRules = "tag-rule/";
inline constexpr std::string_view kPulls = "pull/";
inline constexpr std::string_view kNodeReports = "node-report/";
inline constexpr std::string_view kPulled = "pulled/";
inline constexpr std::string_view kOwners = "owner/";
std::string UntaggedIn(const RepositoryName& repository);                    // untagged/<repo>\0
std::string OrphanedIn(const RepositoryName& repository);                    // orphaned/<repo>\0
std::string TrashOf(std::string_view run, std::string_view kind = {});       // trash/<run>\0…
std::string TagEventsOf(const RepositoryName& repository);                   // tag-event/<repo>\0
std::string TagEventsOf(const RepositoryName& repository, const Tag& tag);   // …<tag>\0
std::string GenerationPrefix(uint64_t generation);                           // g/<generation>/
std::string TagsOf(const RepositoryName& repository);                        // tag/<repo>\0
std::string TagsOn(const RepositoryName& repository, const Digest& digest);  // tagged/…\0…\0
std::string HoldersOf(const Digest& digest);                                 // holder/…\0
std::string LinkedIn(const Digest& digest);                                  // linked/…\0
// reference/<child>\0<repo>\0 and referrer/<repo>\0<subject>\0.
std::string ReferencesTo(const Digest& child, const RepositoryName& repository);
std::string ReferrersOf(const RepositoryName& repository, const Digest& subject);

// Returns the part of `key` after `prefix`. Returns an empty text if `key` does not begin with
// `prefix`.
std::string_view After(std::string_view key, std::string_view prefix);

}  // namespace outport::keys
