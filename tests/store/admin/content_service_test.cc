#include "store/admin/content_service.h"

#include <grpcpp/client_context.h>

#include "registry/rpc/status.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "tests/store/content/content_fixture.h"
#include "tests/store/fleet/fleet_fixture.h"
#include "tests/support/io_thread.h"

namespace outport::store {
namespace {

// The service over real content and a real fleet port.
class ContentServiceTest : public FleetFixture {
 protected:
  ContentServiceTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0",
                             rpc::FleetServerCredentials({files_.server_chain, files_.server_key,
                                                          TrustStateOf(files_.authority).bundle}),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~ContentServiceTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
    EXPECT_TRUE(tasks_.DrainBlocking(std::chrono::steady_clock::now() + std::chrono::seconds(20)));
    io_.Stop();
  }

  rpc::TlsIdentity IdentityOf(Role role, const std::string& name) {
    const std::string key = pki::CreatePrivateKey();
    const pki::LeafOptions options{.role = role, .name = name, .lifetime = std::chrono::hours(1)};
    const auto leaf = *pki::Issue(files_.authority, *pki::CreateRequest(key), options);
    return {leaf.certificate + files_.authority.issuing.certificate, key,
            files_.authority.root.certificate};
  }
  template <class Request, class Response>
  Result<Response> Call(grpc::Status (v1::Content::Stub::*method)(grpc::ClientContext*,
                                                                  const Request&, Response*),
                        const Request& request) {
    const auto stub = v1::Content::NewStub(rpc::Dial(address_, administrator_, true));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    Response response;
    const grpc::Status status = (stub.get()->*method)(&context, request, &response);
    if (!status.ok()) return rpc::FromStatus(status, "calling the store");
    return response;
  }
  // Pushes an image of one blob under a tag, and returns its digest.
  std::string Push(const std::string& tag, const std::string& content) {
    const std::string name = RandomHex(8);
    auto writer = *bytes_->Create(DigestAlgorithm::kSha256, name);
    EXPECT_TRUE(writer->Append(AsBytes(content)).has_value());
    EXPECT_TRUE(content_.blobs.Commit(Repo("app"), *writer, Sha256(content), kAnn).has_value());
    const auto pushed =
        content_.manifests.Put(Repo("app"), Ref(tag), "", {}, ImageManifest({content}), kAnn);
    EXPECT_TRUE(pushed.has_value()) << pushed.error().message;
    return pushed->digest.ToString();
  }
  Result<v1::ListTagHistoryResponse> History(const std::string& tag, uint32_t limit = 0,
                                             const std::string& after = "") {
    v1::ListTagHistoryRequest request;
    request.set_repository("app");
    request.set_tag(tag);
    request.set_limit(limit);
    request.set_after(after);
    return Call(&v1::Content::Stub::ListTagHistory, request);
  }
  Result<v1::RestoreTagResponse> Restore(const v1::RestoreTagRequest& extra = {}) {
    v1::RestoreTagRequest request = extra;
    request.set_repository("app");
    request.set_tag("v1");
    return Call(&v1::Content::Stub::RestoreTag, request);
  }

  StoreClock store_clock_{clock_};
  Owner owner_{*meta_, store_clock_, Owner::Access::kExclusive};
  IoThread io_;
  TaskGroup tasks_{io_.executor(), Log::Nowhere()};
  Metrics metrics_;
  std::unique_ptr<DiskBlobStore> bytes_ =
      *DiskBlobStore::Open(disk_, folder_.path(), "uploads", BlobWrites::kDirect);
  Content content_{{.meta = *meta_,
                    .bytes = *bytes_,
                    .clock = clock_,
                    .store_clock = store_clock_,
                    .owner = owner_,
                    .metrics = metrics_,
                    .log = Log::Nowhere()}};
  Uploads uploads_{{.meta = *meta_,
                    .bytes = *bytes_,
                    .blobs = content_.blobs,
                    .disk = io_.pool(),
                    .clock = clock_,
                    .store_clock = store_clock_,
                    .owner = owner_,
                    .metrics = metrics_,
                    .log = Log::Nowhere(),
                    .boot_id = "boot"}};
  ContentService service_{
      {.gate = {.domain = "outport", .directory = directory_, .pool = io_.pool()},
       .content = content_,
       .uploads = uploads_,
       .tasks = tasks_}};
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  const rpc::TlsIdentity administrator_ = IdentityOf(Role::kAdmin, "admin");
};

// Every method of the service, called with an empty request.
struct Method {
  const char* name;
  std::function<grpc::Status(v1::Content::Stub&, grpc::ClientContext&)> call;
};

template <class Request, class Response>
Method Empty(const char* name,
             grpc::Status (v1::Content::Stub::*method)(grpc::ClientContext*, const Request&,
                                                       Response*)) {
  return {name, [method](v1::Content::Stub& stub, grpc::ClientContext& context) {
            Response response;
            return (stub.*method)(&context, Request(), &response);
          }};
}

TEST_F(ContentServiceTest, I6OnlyAdministratorsChangeTheContentOfOthers) {
  using Stub = v1::Content::Stub;
  const Method kMethods[] = {
      Empty("ListTagHistory", &Stub::ListTagHistory), Empty("RestoreTag", &Stub::RestoreTag),
      Empty("SetTagRule", &Stub::SetTagRule),         Empty("RemoveTagRule", &Stub::RemoveTagRule),
      Empty("ListTagRules", &Stub::ListTagRules),     Empty("ListUploads", &Stub::ListUploads),
      Empty("CancelUpload", &Stub::CancelUpload)};
  const auto* service = v1::ListTagHistoryRequest::descriptor()->file()->service(0);
  EXPECT_EQ(std::size(kMethods), static_cast<size_t>(service->method_count()))
      << "a method is not in the table";
  const struct {
    const char* name;
    rpc::TlsIdentity identity;
    grpc::StatusCode code;
  } kCallers[] = {
      {"nobody", {"", "", files_.authority.root.certificate}, grpc::UNAUTHENTICATED},
      {"a client", IdentityOf(Role::kClient, "desktop"), grpc::PERMISSION_DENIED},
      {"a node", IdentityOf(Role::kNode, "eu"), grpc::PERMISSION_DENIED},
      {"the store", IdentityOf(Role::kStore, "store"), grpc::PERMISSION_DENIED},
  };
  for (const auto& caller : kCallers) {
    const auto stub = v1::Content::NewStub(rpc::Dial(address_, caller.identity, true));
    for (const Method& method : kMethods) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
      const grpc::Status status = method.call(*stub, context);
      EXPECT_EQ(status.error_code(), caller.code)
          << caller.name << " " << method.name << ": " << status.error_message();
    }
  }
}

TEST_F(ContentServiceTest, TheHistoryIsListedInPages) {
  const std::string one = Push("v1", "one");
  const std::string two = Push("v1", "two");
  ASSERT_TRUE(content_.manifests.Delete(Repo("app"), Ref("v1"), kAnn).has_value());
  const auto page = History("v1", 2);
  ASSERT_TRUE(page.has_value()) << page.error().message;
  ASSERT_EQ(page->events_size(), 2);
  EXPECT_EQ(page->events(0).tag(), "v1");
  EXPECT_EQ(page->events(0).row().before(), two);
  EXPECT_EQ(page->events(0).row().after(), "");
  EXPECT_TRUE(page->events(0).restorable());
  EXPECT_EQ(page->events(1).row().by(), "user ann");
  const auto rest = History("", 2, page->next());
  ASSERT_TRUE(rest.has_value());
  ASSERT_EQ(rest->events_size(), 1);
  EXPECT_EQ(rest->events(0).row().after(), one);
  EXPECT_EQ(rest->next(), "");
  EXPECT_EQ(CodeOf(History("v2")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(History("v/2")), ErrorCode::kTagInvalid);
}

TEST_F(ContentServiceTest, AnEventWithoutContentIsNotRestorable) {
  const std::string one = Push("v1", "one");
  ASSERT_TRUE(content_.manifests.Delete(Repo("app"), Ref(one), kAnn).has_value());
  EXPECT_TRUE(History("v1")->events(0).restorable()) << "it is in the trash";
  const auto transaction = meta_->Begin();
  ASSERT_TRUE(transaction->Delete(keys::Trashed(Repo("app"), *Digest::Parse(one))).has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  EXPECT_FALSE(History("v1")->events(0).restorable());
  const auto restored = Restore();
  ASSERT_EQ(CodeOf(restored), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(restored.error().items, std::vector{one});
}

TEST_F(ContentServiceTest, AnEventWhoseLayerIsGoneIsNotRestorable) {
  const std::string one = Push("v1", "one");
  ASSERT_TRUE(content_.manifests.Delete(Repo("app"), Ref(one), kAnn).has_value());
  const auto transaction = meta_->Begin();
  ASSERT_TRUE(transaction->Delete(keys::Blob(Sha256("one"))).has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  EXPECT_FALSE(History("v1")->events(0).restorable());
  EXPECT_FALSE(History("v1")->events(1).restorable()) << "the push of the same digest";
  EXPECT_EQ(CodeOf(Restore()), ErrorCode::kFailedPrecondition);
}

TEST_F(ContentServiceTest, ATagIsRestored) {
  const std::string one = Push("v1", "one");
  const std::string two = Push("v1", "two");
  const auto back = Restore();
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(back->digest(), one);
  EXPECT_EQ(back->before(), two);
  EXPECT_EQ(back->sequence(), meta_->Head()->sequence);
  v1::RestoreTagRequest to;
  to.set_digest(two);
  ASSERT_TRUE(Restore(to).has_value());
  EXPECT_EQ(content_.manifests.Get(Repo("app"), Ref("v1"))->info.digest.ToString(), two);
  EXPECT_EQ(History("v1")->events(0).row().by(), "administrator admin");
  to.set_at_ms(1);
  EXPECT_EQ(CodeOf(Restore(to)), ErrorCode::kNotFound);
  to.set_digest("sha256:x");
  EXPECT_EQ(CodeOf(Restore(to)), ErrorCode::kDigestInvalid);
}

TEST_F(ContentServiceTest, RulesAreSetListedAndRemoved) {
  v1::SetTagRuleRequest set;
  set.mutable_rule()->set_name("releases");
  set.mutable_rule()->set_repositories("app");
  set.mutable_rule()->set_tags("v*");
  ASSERT_TRUE(Call(&v1::Content::Stub::SetTagRule, set).has_value());
  const auto rules = Call(&v1::Content::Stub::ListTagRules, v1::ListTagRulesRequest());
  ASSERT_TRUE(rules.has_value());
  ASSERT_EQ(rules->rules_size(), 1);
  EXPECT_EQ(rules->rules(0).created_by(), "admin");
  EXPECT_GT(rules->rules(0).created_ms(), 1'000'000'000'000);
  v1::RemoveTagRuleRequest remove;
  remove.set_name("releases");
  ASSERT_TRUE(Call(&v1::Content::Stub::RemoveTagRule, remove).has_value());
  EXPECT_EQ(CodeOf(Call(&v1::Content::Stub::RemoveTagRule, remove)), ErrorCode::kNotFound);
  set.mutable_rule()->set_tags("");
  EXPECT_EQ(CodeOf(Call(&v1::Content::Stub::SetTagRule, set)), ErrorCode::kInvalidArgument);
}

TEST_F(ContentServiceTest, AnUploadIsListedAndCancelled) {
  const auto started = io_.Await(uploads_.Start(kAnn, Repo("app"), DigestAlgorithm::kSha256));
  ASSERT_TRUE(started.has_value());
  const auto listed = Call(&v1::Content::Stub::ListUploads, v1::ListUploadsRequest());
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  ASSERT_EQ(listed->uploads_size(), 1);
  EXPECT_EQ(listed->uploads(0).id(), started->id);
  EXPECT_EQ(listed->uploads(0).repository(), "app");
  v1::AdminCancelUploadRequest cancel;
  cancel.set_id(started->id);
  const auto cancelled = Call(&v1::Content::Stub::CancelUpload, cancel);
  ASSERT_TRUE(cancelled.has_value()) << cancelled.error().message;
  EXPECT_EQ(Call(&v1::Content::Stub::ListUploads, v1::ListUploadsRequest())->uploads_size(), 0);
}

}  // namespace
}  // namespace outport::store
