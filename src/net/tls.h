// TLS 1.2 and 1.3 between bytes and bytes: OpenSSL does the cryptography, the connection moves what
// it makes. A TlsIdentity belongs to the server, a TlsSession to one connection; network thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace jarip {

struct TlsFiles {
  std::filesystem::path certificate;  // PEM: the server's, then those that vouch for it
  std::filesystem::path key;          // PEM, without a passphrase
};

class TlsIdentity {
 public:
  // Errors, naming the file: kIo (can't be read), kInvalidArgument (no certificate or key in it,
  // one that doesn't belong to the other).
  [[nodiscard]] static Result<TlsIdentity> load(const TlsFiles& files);

 private:
  friend class TlsSession;
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  explicit TlsIdentity(ssl_ctx_st* context) : context_(context) {}
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

class TlsSession {
 public:
  // The session keeps what it needs of the identity.
  explicit TlsSession(const TlsIdentity& identity);

  [[nodiscard]] bool is_ready() const;  // the handshake is done

  enum class State : std::uint8_t { kOpen, kClosed, kFailed };
  // Bytes that came from the client; appends what they say. kClosed: the client says goodbye.
  [[nodiscard]] State receive(std::string_view bytes, std::string& plain);
  // False when the session can't send any more.
  [[nodiscard]] bool send(std::string_view plain);
  // Says goodbye.
  void close();
  // What must go to the client next; empty when nothing must.
  [[nodiscard]] std::string take_output();

 private:
  struct Free {
    void operator()(ssl_st* session) const;
  };
  [[nodiscard]] std::size_t n_output() const;

  std::unique_ptr<ssl_st, Free> session_;
};

}  // namespace jarip
