#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

struct ssl_st;
struct ssl_ctx_st;

namespace outport::http {

// A client's certificate chain and key, PEM.
struct ClientIdentity {
  std::string chain;
  std::string key;
};

struct TestResponse {
  int status = 0;                             // 0: there was no response
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;
  bool complete = false;  // the body has the announced length

  std::string Field(const std::string& lower_case_name) const;
  // The code of the first error in the body; "" if there is none.
  std::string ErrorCode() const;
};

// A blocking HTTP client that sends exactly the given text, over TLS or plain TCP. Each wait for
// the server lasts at most 10 s.
class TestClient {
 public:
  static TestClient Unconnected() { return TestClient(); }
  // `source`: the address that the server sees.
  static TestClient Plain(uint16_t port, const char* source = "127.0.0.1");
  static TestClient Tls(uint16_t port, const ClientIdentity* identity,
                        const char* source = "127.0.0.1");
  ~TestClient();
  TestClient(TestClient&&) noexcept;

  void ConnectTo(uint16_t port, const char* source = "127.0.0.1");
  bool connected() const { return connected_; }
  // False if the server closed the connection.
  bool Send(const std::string& text);
  // Ends the sending side only.
  void HalfClose();
  // Receives the next response, also a 1xx one. `head`: it has no body.
  TestResponse Receive(bool head = false);
  // Receives the header of the next response, unparsed. REQUIRES: the response has no body.
  std::string ReceiveHead();
  TestResponse Exchange(const std::string& text, bool head = false);
  // Receives everything until the server closes; `closed` tells whether it did in time.
  std::string ReceiveAll(bool& closed);
  bool IsClosed();

 private:
  TestClient();
  // Returns the number of bytes; 0 at the end, -1 after a failure, a reset or a timeout.
  long Read(char* buffer, size_t size);
  bool Fill();

  struct ContextFree {
    void operator()(ssl_ctx_st* context) const;
  };
  struct SslFree {
    void operator()(ssl_st* ssl) const;
  };
  int socket_ = -1;
  bool connected_ = false;
  std::unique_ptr<ssl_ctx_st, ContextFree> context_;
  std::unique_ptr<ssl_st, SslFree> ssl_;
  std::string input_;
};

}  // namespace outport::http
