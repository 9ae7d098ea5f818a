#include "net/tls.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>
#include <system_error>

#include "base/log.h"

namespace jarip {
namespace {

// Forward secrecy and authenticated encryption only; of TLS 1.3 all suites are of that kind.
constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
// What a session may owe its client while nothing is written: answers to messages of TLS itself.
constexpr std::size_t kMaxOutput = 64U << 10U;
constexpr std::size_t kPlainBytes = 16U << 10U;

std::string last_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

std::unexpected<Error> refuse(const std::filesystem::path& path, const char* option,
                              std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} {}", path.native(), what), option);
}

Result<void> check_readable(const std::filesystem::path& path, const char* option) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor >= 0) {
    ::close(descriptor);
    return {};
  }
  return fail(ErrorCode::kIo,
              fmt::format("can't read {} (--{}): {}", path.native(), option,
                          std::generic_category().message(errno)),
              option);
}

// A server can't ask for a passphrase.
int no_passphrase(char* /*to*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

// In ALPN's form. OpenSSL keeps a pointer into it for a while.
constexpr unsigned char kHttp11[] = "\x08http/1.1";

// HTTP/1.1 is all that is spoken here; a client that insists on something else is told so.
int choose_protocol(SSL* /*session*/, const unsigned char** out, unsigned char* out_length,
                    const unsigned char* offered, unsigned int length, void* /*data*/) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, kHttp11, sizeof kHttp11 - 1, offered, length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

void set_rules(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, kTls12Ciphers);
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // Idle connections hold no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
}

void warn_if_expired(const TlsFiles& files, SSL_CTX* context) {
  const X509* certificate = SSL_CTX_get0_certificate(context);
  if (certificate != nullptr && X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
    log_line(LogLevel::kWarning,
             fmt::format("the certificate {} has expired", files.certificate.native()));
  }
}

}  // namespace

void TlsIdentity::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void TlsSession::Free::operator()(ssl_st* session) const { SSL_free(session); }

Result<TlsIdentity> TlsIdentity::load(const TlsFiles& files) {
  constexpr const char* kCertificate = "tls-cert";
  constexpr const char* kKey = "tls-key";
  JARIP_CHECK(check_readable(files.certificate, kCertificate));
  JARIP_CHECK(check_readable(files.key, kKey));
  TlsIdentity identity(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = identity.context_.get();
  if (context == nullptr) return fail(ErrorCode::kUnavailable, "TLS: " + last_error());
  set_rules(context);
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    return refuse(files.certificate, kCertificate,
                  fmt::format("(--tls-cert) isn't a certificate in PEM form: {}", last_error()));
  }
  // A key of another kind is refused while it is read, one of the same kind when they are compared.
  const bool is_read =
      SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) == 1;
  const unsigned long code = ERR_peek_last_error();
  const bool is_other = ERR_GET_LIB(code) == ERR_LIB_X509;
  if (!is_read && !is_other) {
    return refuse(
        files.key, kKey,
        fmt::format("(--tls-key) isn't a key in PEM form without a passphrase: {}", last_error()));
  }
  if (!is_read || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return refuse(files.key, kKey,
                  fmt::format("(--tls-key) isn't the key of the certificate in {} (--tls-cert)",
                              files.certificate.native()));
  }
  warn_if_expired(files, context);
  return identity;
}

TlsSession::TlsSession(const TlsIdentity& identity) : session_(SSL_new(identity.context_.get())) {
  BIO* const input = BIO_new(BIO_s_mem());
  BIO* const output = BIO_new(BIO_s_mem());
  if (session_ == nullptr || input == nullptr || output == nullptr) {
    BIO_free(input);
    BIO_free(output);
    throw std::bad_alloc();  // ends the one connection that asks
  }
  SSL_set_bio(session_.get(), input, output);
  SSL_set_accept_state(session_.get());
}

bool TlsSession::is_ready() const { return SSL_is_init_finished(session_.get()) == 1; }

TlsSession::State TlsSession::receive(std::string_view bytes, std::string& plain) {
  ERR_clear_error();
  BIO* const input = SSL_get_rbio(session_.get());
  if (BIO_write(input, bytes.data(), static_cast<int>(bytes.size())) !=
      static_cast<int>(bytes.size())) {
    return State::kFailed;
  }
  std::array<char, kPlainBytes> piece;
  while (true) {
    std::size_t n = 0;
    const int read = SSL_read_ex(session_.get(), piece.data(), piece.size(), &n);
    if (read == 1) {
      plain.append(piece.data(), n);
      continue;
    }
    if (n_output() > kMaxOutput) return State::kFailed;
    switch (SSL_get_error(session_.get(), read)) {
      case SSL_ERROR_WANT_READ:
        return State::kOpen;
      case SSL_ERROR_ZERO_RETURN:
        return State::kClosed;
      default:
        ERR_clear_error();
        return State::kFailed;
    }
  }
}

bool TlsSession::send(std::string_view plain) {
  ERR_clear_error();
  std::size_t n = 0;
  return SSL_write_ex(session_.get(), plain.data(), plain.size(), &n) == 1 && n == plain.size();
}

void TlsSession::close() {
  ERR_clear_error();
  SSL_shutdown(session_.get());
  ERR_clear_error();
}

std::size_t TlsSession::n_output() const { return BIO_ctrl_pending(SSL_get_wbio(session_.get())); }

std::string TlsSession::take_output() {
  std::string out(n_output(), '\0');
  if (out.empty()) return out;
  const int n = BIO_read(SSL_get_wbio(session_.get()), out.data(), static_cast<int>(out.size()));
  out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return out;
}

}  // namespace jarip
