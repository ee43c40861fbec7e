#include "store/admin/admin_service.h"

#include <grpcpp/client_context.h>

#include "tests/store/fleet/fleet_fixture.h"

namespace outport::store {
namespace {

class AdminServiceTest : public FleetServerFixture {
 protected:
  template <class Request, class Response>
  grpc::Status Call(const rpc::TlsIdentity& caller,
                    grpc::Status (v1::Admin::Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*),
                    const Request& request, Response& response) {
    const auto stub = v1::Admin::NewStub(rpc::Dial(address_, caller, true));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return (stub.get()->*method)(&context, request, &response);
  }
  rpc::TlsIdentity admin_identity_ = IdentityOf(Role::kAdmin, "admin");
};

// Every method of the service, called with an empty request.
struct Method {
  const char* name;
  std::function<grpc::Status(v1::Admin::Stub&, grpc::ClientContext&)> call;
};

template <class Request, class Response>
Method Empty(const char* name, grpc::Status (v1::Admin::Stub::*method)(grpc::ClientContext*,
                                                                       const Request&, Response*)) {
  return {name, [method](v1::Admin::Stub& stub, grpc::ClientContext& context) {
            Response response;
            return (stub.*method)(&context, Request(), &response);
          }};
}

TEST_F(AdminServiceTest, I6OnlyAdministratorsAdminister) {
  using Stub = v1::Admin::Stub;
  const Method kMethods[] = {Empty("AddUser", &Stub::AddUser),
                             Empty("ListUsers", &Stub::ListUsers),
                             Empty("RemoveUser", &Stub::RemoveUser),
                             Empty("IssueCertificate", &Stub::IssueCertificate),
                             Empty("ListCertificates", &Stub::ListCertificates),
                             Empty("GetCertificate", &Stub::GetCertificate),
                             Empty("GetAuthorities", &Stub::GetAuthorities),
                             Empty("InviteNode", &Stub::InviteNode),
                             Empty("GetNode", &Stub::GetNode),
                             Empty("SetNode", &Stub::SetNode),
                             Empty("ListNodes", &Stub::ListNodes),
                             Empty("RemoveNode", &Stub::RemoveNode),
                             Empty("GetStatus", &Stub::GetStatus)};
  pki::Authority other_domain = files_.authority;
  other_domain.domain = "elsewhere";
  struct Caller {
    const char* name;
    rpc::TlsIdentity identity;
    grpc::StatusCode code;
  };
  const Caller kCallers[] = {
      {"nobody", Nobody(), grpc::UNAUTHENTICATED},
      {"a client", IdentityOf(Role::kClient, "desktop"), grpc::PERMISSION_DENIED},
      {"a node", IdentityOf(Role::kNode, "eu"), grpc::PERMISSION_DENIED},
      {"the store", IdentityOf(Role::kStore, "store"), grpc::PERMISSION_DENIED},
      {"another domain's", IdentityFrom(other_domain, Role::kAdmin, "admin"),
       grpc::PERMISSION_DENIED},
      {"another fleet's", IdentityFrom(*pki::CreateAuthority("outport"), Role::kAdmin, "admin"),
       grpc::UNAVAILABLE},
  };
  for (const Caller& caller : kCallers) {
    const auto stub = v1::Admin::NewStub(rpc::DialAnyServer(address_, caller.identity));
    for (const Method& method : kMethods) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
      const grpc::Status status = method.call(*stub, context);
      EXPECT_EQ(status.error_code(), caller.code)
          << caller.name << " " << method.name << ": " << status.error_message();
    }
  }
  EXPECT_TRUE(fleet_.users.List("", 10)->rows.empty());
}

TEST_F(AdminServiceTest, UsersAreAddedListedAndRemoved) {
  v1::AddUserRequest add;
  add.set_name("ci");
  add.set_password_hash(*HashPassword("secret", 4));
  *add.add_grants() = UserNamed("x").grants(0);
  v1::AddUserResponse added;
  auto status = Call(admin_identity_, &v1::Admin::Stub::AddUser, add, added);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(added.sequence(), 1u);

  v1::ListUsersResponse users;
  ASSERT_TRUE(Call(admin_identity_, &v1::Admin::Stub::ListUsers, {}, users).ok());
  ASSERT_EQ(users.users_size(), 1);
  EXPECT_EQ(users.users(0).name(), "ci");
  EXPECT_EQ(users.users(0).grants(0).pattern(), "**");
  EXPECT_TRUE(users.next().empty());

  v1::RemoveUserRequest remove;
  remove.set_name("ci");
  v1::RemoveUserResponse removed;
  ASSERT_TRUE(Call(admin_identity_, &v1::Admin::Stub::RemoveUser, remove, removed).ok());
  status = Call(admin_identity_, &v1::Admin::Stub::RemoveUser, remove, removed);
  EXPECT_EQ(status.error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(directory_.Find("ci"), nullptr);
}

TEST_F(AdminServiceTest, PagesOfUsersJoinWithoutGapOrOverlap) {
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    ASSERT_TRUE(fleet_.users.Add(UserNamed(name), kAdmin).has_value());
  }
  std::string seen;
  v1::ListUsersRequest request;
  request.mutable_page()->set_limit(2);
  do {
    v1::ListUsersResponse users;
    ASSERT_TRUE(Call(admin_identity_, &v1::Admin::Stub::ListUsers, request, users).ok());
    for (const v1::UserInfo& user : users.users()) seen += user.name();
    request.mutable_page()->set_after(users.next());
  } while (!request.page().after().empty());
  EXPECT_EQ(seen, "abcde");
}

TEST_F(AdminServiceTest, StatusShowsStoreAndNodes) {
  ASSERT_TRUE(fleet_.users.Add(UserNamed("ci"), kAdmin).has_value());
  v1::EnrollRequest enroll;
  enroll.set_secret(Invite("eu").secret);
  enroll.set_identity_request(*pki::CreateRequest(pki::CreatePrivateKey()));
  enroll.set_server_request(*pki::CreateRequest(pki::CreatePrivateKey()));
  ASSERT_TRUE(fleet_.invitations.Enroll(enroll, "test").has_value());
  const uint64_t ticket = nodes_.Connect("eu", "10.0.0.1", [](const Error&) {});
  nodes_.RecordAcknowledgement("eu", ticket, 1);

  v1::GetStatusResponse status;
  const auto call = Call(admin_identity_, &v1::Admin::Stub::GetStatus, {}, status);
  ASSERT_TRUE(call.ok()) << call.error_message();
  EXPECT_EQ(status.version(), "1.2.3");
  EXPECT_EQ(status.epoch(), "epoch1");
  EXPECT_EQ(status.head_sequence(), 1u);
  EXPECT_GT(status.free_bytes(), 0u);
  EXPECT_EQ(status.server_certificate_name(), "store");
  EXPECT_GT(status.server_certificate_not_after_ms(), ToUnixMillis(clock_.Wall()));
  ASSERT_EQ(status.nodes_size(), 1);
  EXPECT_EQ(status.nodes(0).name(), "eu");
  EXPECT_TRUE(status.nodes(0).connected());
  EXPECT_EQ(status.nodes(0).acknowledged_sequence(), 1u);
  EXPECT_EQ(status.nodes(0).address(), "10.0.0.1");
}

}  // namespace
}  // namespace outport::store
