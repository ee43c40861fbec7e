#include "store/admin/content_service.h"

#include "registry/rpc/status.h"
#include "tests/store/admin/service_fixture.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

// The service over real content.
class ContentServiceTest : public ServiceFixture<v1::Content> {
 protected:
  ContentServiceTest() { Serve(service_); }
  ~ContentServiceTest() override {
    StopServing();
    EXPECT_TRUE(tasks_.DrainBlocking(std::chrono::steady_clock::now() + std::chrono::seconds(20)));
    io_.Stop();
  }

  // Calls a method as an administrator.
  template <class Request, class Response>
  Result<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request) {
    Response response;
    const grpc::Status status = ServiceFixture::Call(administrator_, method, request, response);
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
    return Call(&Stub::ListTagHistory, request);
  }
  Result<v1::RestoreTagResponse> Restore(const v1::RestoreTagRequest& extra = {}) {
    v1::RestoreTagRequest request = extra;
    request.set_repository("app");
    request.set_tag("v1");
    return Call(&Stub::RestoreTag, request);
  }

  TaskGroup tasks_{io_.executor(), Log::Nowhere()};
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
      {.gate = gate_, .content = content_, .uploads = uploads_, .tasks = tasks_}};
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
      {"nobody", Nobody(), grpc::UNAUTHENTICATED},
      {"a client", IdentityOf(Role::kClient, "desktop"), grpc::PERMISSION_DENIED},
      {"a node", IdentityOf(Role::kNode, "eu"), grpc::PERMISSION_DENIED},
      {"the store", IdentityOf(Role::kStore, "store"), grpc::PERMISSION_DENIED},
  };
  for (const auto& caller : kCallers) {
    const auto stub = StubOf(caller.identity);
    for (const Method& method : kMethods) {
      grpc::ClientContext context;
      SetDeadline(context);
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
  const auto first = Call(&Stub::SetTagRule, set);
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(first->has_replaced());
  set.mutable_rule()->set_tags("w*");
  const auto second = Call(&Stub::SetTagRule, set);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->replaced().tags(), "v*");
  const auto rules = Call(&Stub::ListTagRules, v1::ListTagRulesRequest());
  ASSERT_TRUE(rules.has_value());
  ASSERT_EQ(rules->rules_size(), 1);
  EXPECT_EQ(rules->rules(0).created_by(), "admin");
  EXPECT_GT(rules->rules(0).created_ms(), 1'000'000'000'000);
  v1::RemoveTagRuleRequest remove;
  remove.set_name("releases");
  ASSERT_TRUE(Call(&Stub::RemoveTagRule, remove).has_value());
  EXPECT_EQ(CodeOf(Call(&Stub::RemoveTagRule, remove)), ErrorCode::kNotFound);
  set.mutable_rule()->set_tags("");
  EXPECT_EQ(CodeOf(Call(&Stub::SetTagRule, set)), ErrorCode::kInvalidArgument);
}

TEST_F(ContentServiceTest, AnUploadIsListedAndCancelled) {
  const auto started = io_.Await(uploads_.Start(kAnn, Repo("app"), DigestAlgorithm::kSha256));
  ASSERT_TRUE(started.has_value());
  const auto listed = Call(&Stub::ListUploads, v1::ListUploadsRequest());
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  ASSERT_EQ(listed->uploads_size(), 1);
  EXPECT_EQ(listed->uploads(0).id(), started->id);
  EXPECT_EQ(listed->uploads(0).repository(), "app");
  v1::AdminCancelUploadRequest cancel;
  cancel.set_id(started->id);
  const auto cancelled = Call(&Stub::CancelUpload, cancel);
  ASSERT_TRUE(cancelled.has_value()) << cancelled.error().message;
  EXPECT_EQ(Call(&Stub::ListUploads, v1::ListUploadsRequest())->uploads_size(), 0);
}

}  // namespace
}  // namespace outport::store
