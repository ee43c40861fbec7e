#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "tests/replication/test_node.h"

namespace outport {
namespace {

using testing::HasSubstr;

template <class T>
ErrorCode CodeOf(const Result<T>& result) {
  return result.has_value() ? ErrorCode::kInternal : result.error().code;
}

// A client's body.
class ClientBody final : public ByteSource {
 public:
  explicit ClientBody(std::string content, bool announced = false)
      : content_(std::move(content)), announced_(announced) {}

  // After this many bytes, the client disconnects or sends no more.
  ClientBody& LeaveAt(size_t offset) {
    leaves_at_ = offset;
    return *this;
  }
  ClientBody& StallAt(size_t offset) {
    stalls_at_ = offset;
    return *this;
  }
  // Calls a function once, after this many bytes.
  ClientBody& CallAt(size_t offset, std::function<void()> call) {
    calls_at_ = offset;
    call_ = std::move(call);
    return *this;
  }
  size_t asked_for() const { return asked_for_; }

  std::optional<uint64_t> length() const override {
    return announced_ ? std::optional<uint64_t>(content_.size()) : std::nullopt;
  }
  net::awaitable<Result<size_t>> Read(MutableBytes buffer) override {
    ++asked_for_;
    if (call_ && sent_ >= calls_at_) std::exchange(call_, nullptr)();
    if (sent_ >= stalls_at_) {
      net::steady_timer timer(co_await net::this_coro::executor, 60s);
      boost::system::error_code ignored;
      co_await timer.async_wait(net::redirect_error(net::use_awaitable, ignored));
      co_return Error{ErrorCode::kRequestTimeout, "the client was too slow"};
    }
    if (sent_ >= leaves_at_) co_return Error{ErrorCode::kCancelled, "the client left"};
    const size_t end = std::min({content_.size(), stalls_at_, leaves_at_});
    const size_t size = std::min({buffer.size(), end - sent_, size_t{100'000}});
    std::memcpy(buffer.data(), content_.data() + sent_, size);
    sent_ += size;
    co_return size;
  }

 private:
  const std::string content_;
  const bool announced_;
  size_t leaves_at_ = SIZE_MAX;
  size_t stalls_at_ = SIZE_MAX;
  size_t calls_at_ = SIZE_MAX;
  std::function<void()> call_;
  size_t sent_ = 0;
  std::atomic<size_t> asked_for_ = 0;
};

std::string LargeContent(size_t size) {
  std::string content;
  for (int i = 0; content.size() < size; ++i) content += std::to_string(i) + " ";
  content.resize(size);
  return content;
}

class RelayTest : public FleetTest {
 protected:
  RelayTest() {
    image_ = store_->PublishImage(kApp, "one");
    store_->PublishTag(kApp, "latest", image_.digest);
    store_->AddUser("ann", "secret", "pull,push,delete:library/**");
  }
  static Caller Ann(const std::string& password = "secret") {
    return Caller{.user = "ann",
                  .password = std::make_shared<const Secret>(password),
                  .certificate_name = "desktop",
                  .address = "192.0.2.1",
                  .request_id = "r-9"};
  }

  Result<UploadStatus> Start(Registry& registry, const Caller& caller = Ann(),
                             const std::string& repository = kApp) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<UploadStatus>> {
      const RepositoryName name = *RepositoryName::Parse(repository);
      co_return co_await registry.StartUpload(caller, name, DigestAlgorithm::kSha256);
    });
  }
  Result<UploadStatus> Stat(Registry& registry, const std::string& id) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<UploadStatus>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Caller caller = Ann();
      co_return co_await registry.StatUpload(caller, name, id);
    });
  }
  Result<UploadStatus> Append(Registry& registry, const std::string& id, ByteSource& body,
                              std::optional<ByteRange> range = std::nullopt,
                              const Caller& caller = Ann()) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<UploadStatus>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      co_return co_await registry.AppendUpload(caller, name, id, range, body);
    });
  }
  Result<PushedBlob> Finish(Registry& registry, const std::string& id, const Digest& digest,
                            ByteSource& body) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<PushedBlob>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Caller caller = Ann();
      co_return co_await registry.FinishUpload(caller, name, id, std::nullopt, digest, body);
    });
  }
  Result<PushedBlob> PushBlob(Registry& registry, const std::string& content) {
    TRY(const UploadStatus session, Start(registry));
    ClientBody body(content);
    return Finish(registry, session.id, DigestOf(content), body);
  }
  Result<PushedManifest> Put(Registry& registry, const std::string& reference,
                             const std::string& body, const Caller& caller = Ann()) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<PushedManifest>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Reference parsed = *ParseReference(reference);
      const std::string type(media_type::kOciManifest);
      co_return co_await registry.PutManifest(caller, name, parsed, type, {}, body);
    });
  }
  static std::string ManifestOf(const std::vector<std::string>& blobs) {
    std::string body =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)";
    for (size_t i = 0; i < blobs.size(); ++i) {
      body += i == 0 ? R"("config":)" : i == 1 ? R"(,"layers":[)" : ",";
      body += R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" +
              DigestOf(blobs[i]).ToString() + R"(","size":)" + std::to_string(blobs[i].size()) +
              "}";
    }
    return body + "]}";
  }
  Result<Deleted> Delete(Registry& registry, const std::string& reference) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<Deleted>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Reference parsed = *ParseReference(reference);
      const Caller caller = Ann();
      co_return co_await registry.DeleteManifest(caller, name, parsed);
    });
  }
  Result<Deleted> DeleteBlob(Registry& registry, const Digest& digest) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<Deleted>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Caller caller = Ann();
      co_return co_await registry.DeleteBlob(caller, name, digest);
    });
  }
  Result<PushedBlob> Mount(Registry& registry, const std::string& into, const Digest& digest,
                           const std::string& from) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<PushedBlob>> {
      const RepositoryName name = *RepositoryName::Parse(into);
      const std::optional<RepositoryName> source = *RepositoryName::Parse(from);
      const Visible nothing = [](const RepositoryName&) { return false; };  // the store decides
      const Caller caller = Ann();
      co_return co_await registry.MountBlob(caller, name, digest, source, nothing);
    });
  }
  // Pushes an image of these blobs through `registry`.
  Digest Push(Registry& registry, const std::string& tag, const std::vector<std::string>& blobs) {
    for (const std::string& blob : blobs) {
      const auto pushed = PushBlob(registry, blob);
      EXPECT_TRUE(pushed) << pushed.error().message;
    }
    const auto pushed = Put(registry, tag, ManifestOf(blobs));
    EXPECT_TRUE(pushed) << pushed.error().message;
    return pushed.has_value() ? pushed->digest : DigestOf("");
  }

  TestStore::Image image_{DigestOf(""), {}};
};

TEST_F(RelayTest, APushThroughANodeIsVisibleThere) {
  const auto node = JoinNode();
  const Digest digest = Push(node->registry(), "new", {"config", LargeContent(3'000'000)});
  const auto manifest = node->Get(kApp, "new");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->info.digest, digest);
  EXPECT_EQ(*node->ReadBlob(kApp, DigestOf(LargeContent(3'000'000))), LargeContent(3'000'000));
  EXPECT_EQ(node->Count("outport_node_relayed_writes_unapplied_total"), 0);
  EXPECT_GE(node->sequence(), store_->Head().sequence) << "the answer waited for the replica";
}

TEST_F(RelayTest, I3AMovedTagIsVisibleAtOnceAtALaggingNode) {
  const auto node = JoinNode();
  node->StopSync();  // the replica keeps its position
  const Digest digest = Push(node->registry(), "latest", {"config", "layer"});
  EXPECT_EQ(node->Stat(kApp, "latest")->digest, digest);
  EXPECT_GE(node->Count("outport_node_relayed_writes_unapplied_total"), 1);
  for (const char* blob : {"config", "layer"}) {
    ASSERT_TRUE(node->ReadBlob(kApp, DigestOf(blob)));
    ASSERT_TRUE(Eventually([&] { return node->IsCached(DigestOf(blob)); }));
  }
  ASSERT_TRUE(node->Get(kApp, "latest"));
  const auto by_digest = node->Stat(kApp, digest.ToString());
  EXPECT_TRUE(by_digest) << by_digest.error().message;
  EXPECT_THAT(node->ListTags(kApp)->items, testing::ElementsAre("latest"));
  store_->Stop();
  EXPECT_EQ(node->Stat(kApp, "latest")->digest, digest)
      << "the answer went back to the replica's older one";
}

TEST_F(RelayTest, ADeleteThroughANodeIsVisibleThere) {
  const auto node = JoinNode();
  const Digest digest = Push(node->registry(), "a", {"config", "layer"});
  ASSERT_TRUE(Put(node->registry(), "b", ManifestOf({"config", "layer"})));
  EXPECT_EQ(CodeOf(DeleteBlob(node->registry(), DigestOf("layer"))), ErrorCode::kUnsupported);
  ASSERT_TRUE(Delete(node->registry(), "a"));
  EXPECT_EQ(CodeOf(node->Stat(kApp, "a")), ErrorCode::kManifestUnknown);
  EXPECT_TRUE(node->Stat(kApp, "b"));
  ASSERT_TRUE(Delete(node->registry(), digest.ToString()));
  EXPECT_EQ(CodeOf(node->Stat(kApp, "b")), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(node->Stat(kApp, digest.ToString())), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(Delete(node->registry(), "a")), ErrorCode::kManifestUnknown);
  ASSERT_TRUE(DeleteBlob(node->registry(), DigestOf("layer")));
  EXPECT_EQ(CodeOf(node->ReadBlob(kApp, DigestOf("layer"))), ErrorCode::kBlobUnknown);
  EXPECT_EQ(node->Count("outport_node_relayed_writes_unapplied_total"), 0);
}

TEST_F(RelayTest, I3ADeleteThroughALaggingNodeIsNotUndone) {
  const auto node = JoinNode();
  const Digest digest = Push(node->registry(), "a", {"config", "layer"});
  node->StopSync();
  ASSERT_TRUE(Delete(node->registry(), digest.ToString()));
  ASSERT_TRUE(DeleteBlob(node->registry(), DigestOf("layer")));
  EXPECT_EQ(CodeOf(node->Stat(kApp, "a")), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(node->Stat(kApp, digest.ToString())), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(node->ReadBlob(kApp, DigestOf("layer"))), ErrorCode::kBlobUnknown);
  store_->Stop();
  EXPECT_EQ(CodeOf(node->Stat(kApp, "a")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->Stat(kApp, digest.ToString())), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->ReadBlob(kApp, DigestOf("layer"))), ErrorCode::kUnavailable);
}

TEST_F(RelayTest, I6AMountNeedsTheUsersOwnGrants) {
  const auto node = JoinNode();
  ASSERT_TRUE(PushBlob(node->registry(), "layer"));
  const auto mounted = Mount(node->registry(), "library/other", DigestOf("layer"), kApp);
  ASSERT_TRUE(mounted) << mounted.error().message;
  EXPECT_EQ(*node->ReadBlob("library/other", DigestOf("layer")), "layer");
  store_->PublishRepository("private/app");
  const Digest secret = store_->PublishBlob("private/app", "secret");
  EXPECT_EQ(CodeOf(Mount(node->registry(), "library/other", secret, "private/app")),
            ErrorCode::kBlobUnknown);
}

TEST_F(RelayTest, ASessionContinuesAtAnotherNodeAndEndsAtTheStore) {
  const auto node = JoinNode();
  store_->AddNode("us-east");
  const rpc::TlsIdentity other_identity = authority_.Issue(Role::kNode, "us-east");
  TestNode other(loop_, other_identity, folder_.path() / "other", store_->address(), clock_);
  const std::string content = LargeContent(5'000'000);
  const auto session = Start(node->registry());
  ASSERT_TRUE(session) << session.error().message;
  ClientBody first(content.substr(0, 2'000'000), /*announced=*/true);
  ASSERT_EQ(Append(node->registry(), session->id, first)->size_bytes, 2'000'000u);
  ClientBody second(content.substr(2'000'000, 2'500'000));
  const auto appended = Append(other.registry(), session->id, second,
                               ByteRange{.offset = 2'000'000, .size = 2'500'000});
  ASSERT_TRUE(appended) << appended.error().message;
  EXPECT_EQ(Stat(node->registry(), session->id)->size_bytes, 4'500'000u);
  ClientBody rest(content.substr(4'500'000));
  const auto pushed = Finish(store_->registry(), session->id, DigestOf(content), rest);
  ASSERT_TRUE(pushed) << pushed.error().message;
  EXPECT_EQ(*other.ReadBlob(kApp, DigestOf(content)), content);
}

TEST_F(RelayTest, I6TheStoreAuthenticatesTheSender) {
  const auto node = JoinNode();
  EXPECT_EQ(CodeOf(Start(node->registry(), Ann("wrong"))), ErrorCode::kUnauthorized);
  EXPECT_EQ(CodeOf(Put(node->registry(), "x", "{}", Ann("wrong"))), ErrorCode::kUnauthorized);
  const auto elsewhere = Start(node->registry(), Ann(), "other/app");
  EXPECT_EQ(CodeOf(elsewhere), ErrorCode::kDenied);
  EXPECT_THAT(elsewhere.error().message, HasSubstr("user 'ann' has no grant to push"));
  store_->AddUser("bob", "builder", "pull");
  Caller bob = Ann("builder");
  bob.user = "bob";
  EXPECT_EQ(CodeOf(Start(node->registry(), bob)), ErrorCode::kDenied);
}

TEST_F(RelayTest, I6ALimitedNodeLearnsNoPasswordsOfOtherUsers) {
  store_->AddNode("us-east", {"pull,push:library/**"});
  const rpc::TlsIdentity identity = authority_.Issue(Role::kNode, "us-east");
  TestNode limited(loop_, identity, folder_.path() / "other", store_->address(), clock_);
  store_->AddUser("eve", "private", "pull,push:private/**");
  const auto push = [&](const std::string& user, const std::string& password) {
    Caller caller = Ann(password);
    caller.user = user;
    return Start(limited.registry(), caller);
  };
  prometheus::Counter& verifications = store_->metrics.Counter("outport_auth_verifications_total",
                                                               "Passwords verified with bcrypt.");
  const auto wrong = push("ann", "guess");
  ASSERT_EQ(CodeOf(wrong), ErrorCode::kUnauthorized);
  for (const auto& [user, password] :
       {std::pair("eve", "private"), {"eve", "guess"}, {"nobody", "guess"}, {"eve", "private"}}) {
    SCOPED_TRACE(user);
    const double before = verifications.Value();
    const auto rejected = push(user, password);
    ASSERT_EQ(CodeOf(rejected), ErrorCode::kUnauthorized);
    EXPECT_EQ(rejected.error().message, wrong.error().message);
    EXPECT_EQ(verifications.Value() - before, 1) << "the same work";
  }
  EXPECT_TRUE(push("ann", "secret")) << "ann is in the node's scope";
  User member{.name = "gil", .password_hash = *HashPassword("third", 4), .grants = {}};
  member.groups = {"readers"};
  store_->users.Set(member);
  EXPECT_EQ(CodeOf(push("gil", "third")), ErrorCode::kUnauthorized);
  store_->users.SetGrants({SubjectKind::kGroup, "readers"}, {*ParseGrant("pull:library/**")});
  EXPECT_EQ(CodeOf(push("gil", "third")), ErrorCode::kDenied) << "the group is in the scope";
}

TEST_F(RelayTest, I6ANodeThatWasRemovedMayNotRelay) {
  const auto node = JoinNode();
  store_->RemoveNode("eu-west");
  const auto start = Start(node->registry());
  EXPECT_EQ(CodeOf(start), ErrorCode::kUnavailable) << "it is not the client's fault";
  EXPECT_THAT(start.error().message, HasSubstr("does not belong to this fleet"));
}

TEST_F(RelayTest, I6ARemovedNodesUploadEnds) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  ClientBody body(LargeContent(30'000'000), /*announced=*/true);
  body.CallAt(2'000'000, [&] { store_->RemoveNode("eu-west"); });
  const auto appended = Append(node->registry(), session->id, body);
  EXPECT_EQ(CodeOf(appended), ErrorCode::kUnavailable) << "it is not the client's fault";
  EXPECT_THAT(appended.error().message, HasSubstr("does not belong to this fleet"));
}

TEST_F(RelayTest, I6ARemovedUsersUploadEnds) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  ClientBody body(LargeContent(30'000'000), /*announced=*/true);
  body.CallAt(2'000'000, [&] { store_->users.Remove("ann"); });
  const auto appended = Append(node->registry(), session->id, body);
  EXPECT_EQ(CodeOf(appended), ErrorCode::kUnauthorized);
}

TEST_F(RelayTest, ARejectedUploadSendsNoByte) {
  const auto node = JoinNode();
  ClientBody body(LargeContent(1'000'000), /*announced=*/true);
  EXPECT_EQ(CodeOf(Append(node->registry(), "unknown", body)), ErrorCode::kBlobUploadUnknown);
  const auto session = Start(node->registry());
  EXPECT_EQ(CodeOf(Append(node->registry(), session->id, body, ByteRange{7, 1'000'000})),
            ErrorCode::kRangeInvalid);
  EXPECT_EQ(CodeOf(Append(node->registry(), session->id, body, std::nullopt, Ann("wrong"))),
            ErrorCode::kUnauthorized);
  EXPECT_EQ(body.asked_for(), 0u);
}

TEST_F(RelayTest, ARejectionEndsTheWaitForTheClient) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  ClientBody body(LargeContent(4'000'000));
  body.StallAt(3'000'000);
  const auto begun = std::chrono::steady_clock::now();
  const auto appended = Append(node->registry(), session->id, body, ByteRange{0, 1'000'000});
  EXPECT_EQ(CodeOf(appended), ErrorCode::kSizeInvalid);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);
}

TEST_F(RelayTest, BytesSentBeforeADisconnectStay) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  const std::string content = LargeContent(4'000'000);
  ClientBody body(content, /*announced=*/true);
  body.LeaveAt(2'500'000);
  const auto appended = Append(node->registry(), session->id, body);
  EXPECT_EQ(CodeOf(appended), ErrorCode::kCancelled);
  EXPECT_EQ(Stat(node->registry(), session->id)->size_bytes, 2'500'000u);
  ClientBody rest(content.substr(2'500'000));
  EXPECT_TRUE(Finish(node->registry(), session->id, DigestOf(content), rest));
}

TEST_F(RelayTest, ALostStoreIsUnavailable) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  ClientBody body(LargeContent(4'000'000));
  body.StallAt(3'000'000);
  std::thread stop([&] {
    EXPECT_TRUE(Eventually([&] { return body.asked_for() > 20; }));
    store_->Stop();
  });
  EXPECT_EQ(CodeOf(Append(node->registry(), session->id, body)), ErrorCode::kUnavailable);
  stop.join();
  EXPECT_EQ(CodeOf(Start(node->registry())), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(Put(node->registry(), "x", ManifestOf({"a", "b"}))), ErrorCode::kUnavailable);
}

TEST_F(RelayTest, ErrorsAreRelayedCompletely) {
  const auto node = JoinNode();
  std::vector<std::string> missing;
  for (int i = 0; i < 2000; ++i) missing.push_back("missing " + std::to_string(i));
  const auto put = Put(node->registry(), "x", ManifestOf(missing));
  ASSERT_EQ(CodeOf(put), ErrorCode::kManifestBlobUnknown);
  EXPECT_EQ(put.error().items.size(), kMaxErrorItems) << "more bytes than a gRPC status can hold";
  EXPECT_THAT(put.error().message, HasSubstr("lacks 2000 blobs"));
  EXPECT_THAT(put.error().message, HasSubstr("there are 1900 more"));
  const auto session = Start(node->registry());
  ClientBody body("these bytes");
  EXPECT_EQ(CodeOf(Finish(node->registry(), session->id, DigestOf("others"), body)),
            ErrorCode::kDigestInvalid);
}

TEST_F(RelayTest, EmptyBodies) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  ClientBody announced("", /*announced=*/true);
  EXPECT_EQ(Append(node->registry(), session->id, announced)->size_bytes, 0u);
  ClientBody chunked("");
  EXPECT_EQ(Append(node->registry(), session->id, chunked)->size_bytes, 0u);
  ClientBody last("", /*announced=*/true);
  EXPECT_TRUE(Finish(node->registry(), session->id, DigestOf(""), last));
}

}  // namespace
}  // namespace outport
