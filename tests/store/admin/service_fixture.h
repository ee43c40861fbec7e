#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <string>

#include "registry/storage/disk/disk_blob_store.h"
#include "store/gc/collector.h"
#include "tests/store/fleet/fleet_fixture.h"
#include "tests/support/io_thread.h"

namespace outport::store {

// A store with content behind a real fleet port on loopback, for the tests of one service. `Rpc` is
// the service, such as v1::Gc. A derived fixture has the service as a member, calls Serve() in its
// constructor, and calls StopServing() and io_.Stop() in its destructor.
template <class Rpc>
class ServiceFixture : public FleetFixture {
 protected:
  using Stub = typename Rpc::Stub;

  void Serve(grpc::Service& service) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0",
                             rpc::FleetServerCredentials({files_.server_chain, files_.server_key,
                                                          TrustStateOf(files_.authority).bundle}),
                             &port);
    builder.RegisterService(&service);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  void StopServing() { server_->Shutdown(std::chrono::system_clock::now()); }

  // A certificate of the fleet for a new key, and the root to verify the store with.
  rpc::TlsIdentity IdentityOf(Role role, const std::string& name = "bob") {
    const std::string key = pki::CreatePrivateKey();
    const pki::LeafOptions options{.role = role, .name = name, .lifetime = std::chrono::hours(1)};
    const auto leaf = *pki::Issue(files_.authority, *pki::CreateRequest(key), options);
    return {leaf.certificate + files_.authority.issuing.certificate, key,
            files_.authority.root.certificate};
  }
  rpc::TlsIdentity Nobody() { return {"", "", files_.authority.root.certificate}; }

  std::unique_ptr<Stub> StubOf(const rpc::TlsIdentity& identity) {
    return Rpc::NewStub(rpc::Dial(address_, identity, true));
  }
  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }
  template <class Request, class Response>
  grpc::Status Call(const rpc::TlsIdentity& identity,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response) {
    const auto stub = StubOf(identity);
    grpc::ClientContext context;
    SetDeadline(context);
    return (stub.get()->*method)(&context, request, &response);
  }

  // The parts of a collector whose steps the test runs.
  Collector::Parts CollectorParts() {
    return {.meta = *meta_,
            .bytes = *bytes_,
            .clock = clock_,
            .store_clock = store_clock_,
            .owner = owner_,
            .metrics = metrics_,
            .log = Log::Nowhere()};
  }

  StoreClock store_clock_{clock_};
  Owner owner_{*meta_, store_clock_, Owner::Access::kExclusive};
  IoThread io_;
  const AdminGate gate_{.domain = "outport", .directory = directory_, .pool = io_.pool()};
  Metrics metrics_;
  std::unique_ptr<DiskBlobStore> bytes_ =
      *DiskBlobStore::Open(disk_, folder_.path(), "uploads", BlobWrites::kDirect);

 private:
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace outport::store
