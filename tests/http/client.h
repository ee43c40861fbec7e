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
  int status = 0;                             // 0: no answer came
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;
  bool complete = false;  // the body is as long as was announced

  std::string Field(const std::string& lower_case_name) const;
  // The code of the first error in the body; "" if there is none.
  std::string ErrorCode() const;
};

// A blocking HTTP client that says exactly what it is told, over TLS or plain. Each wait for the
// server lasts 10 s at most.
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
  // False when the server is gone.
  bool Send(const std::string& text);
  // No more will be sent, but answers are read.
  void HalfClose();
  // The next answer; `head`: it has no body. 1xx answers count as answers.
  TestResponse Receive(bool head = false);
  // The next answer's header as it came. Only of an answer without a body.
  std::string ReceiveHead();
  TestResponse Exchange(const std::string& text, bool head = false);
  // What the server sends until it closes; and whether it closed within the wait.
  std::string ReceiveAll(bool& closed);
  bool IsClosed();

 private:
  TestClient();
  // Bytes read; 0 at the end, -1 on a failure, which a reset and a wait too long are.
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
