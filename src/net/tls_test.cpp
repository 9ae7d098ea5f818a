#include "net/tls.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tests/support/test_client.h"

namespace jarip {
namespace {

namespace fs = std::filesystem;

struct File {
  explicit File(const fs::path& path) : of(std::fopen(path.c_str(), "w")) {}
  ~File() { std::fclose(of); }
  std::FILE* of;
};

// A new key and a certificate that vouches for itself.
TlsFiles make_identity(const fs::path& folder, const std::string& name, const char* kind) {
  const TlsFiles files{folder / (name + ".crt"), folder / (name + ".key")};
  EVP_PKEY* const key = std::string_view(kind) == "RSA"
                            ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048})
                            : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  X509* const certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* const subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  X509_sign(certificate, key, EVP_sha256());
  PEM_write_X509(File(files.certificate).of, certificate);
  PEM_write_PrivateKey(File(files.key).of, key, nullptr, nullptr, 0, nullptr, nullptr);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

// The client's end, in memory.
class Client {
 public:
  explicit Client(int max_version = 0) : context_(SSL_CTX_new(TLS_client_method())) {
    if (max_version != 0) SSL_CTX_set_max_proto_version(context_, max_version);
    SSL_CTX_set_security_level(context_, 0);  // may even offer what the server must refuse
    ssl_ = SSL_new(context_);
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_);
  }
  ~Client() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  SSL* ssl() { return ssl_; }
  std::string take_output() {
    std::string out(BIO_ctrl_pending(SSL_get_wbio(ssl_)), '\0');
    if (!out.empty()) BIO_read(SSL_get_wbio(ssl_), out.data(), static_cast<int>(out.size()));
    return out;
  }
  std::string receive(const std::string& bytes) {
    BIO_write(SSL_get_rbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
    std::string plain;
    char piece[4096];
    for (int n = 0; (n = SSL_read(ssl_, piece, sizeof piece)) > 0;) {
      plain.append(piece, static_cast<std::size_t>(n));
    }
    return plain;
  }
  // Until both are ready or one has failed.
  bool shake_hands(TlsSession& server) {
    for (int i = 0; i < 10; ++i) {
      SSL_do_handshake(ssl_);
      std::string plain;
      if (server.receive(take_output(), plain) != TlsSession::State::kOpen) return false;
      receive(server.take_output());
      if (server.is_ready() && SSL_is_init_finished(ssl_) == 1) return true;
    }
    return false;
  }

 private:
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
};

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    std::string pattern = (fs::temp_directory_path() / "jarip-tls-XXXXXX").native();
    folder_ = ::mkdtemp(pattern.data());
    files_ = make_identity(folder_, "good", "EC");
  }
  ~TlsTest() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name) << bytes;
    return folder_ / name;
  }
  void expect_refused(const TlsFiles& files, ErrorCode code, const char* option,
                      const fs::path& named) const {
    const auto loaded = TlsIdentity::load(files);
    ASSERT_FALSE(loaded) << named;
    EXPECT_EQ(loaded.error().code, code) << loaded.error().message;
    EXPECT_EQ(loaded.error().where, option) << loaded.error().message;
    EXPECT_NE(loaded.error().message.find(named.native()), std::string::npos)
        << loaded.error().message;
  }

  fs::path folder_;
  TlsFiles files_;
};

TEST_F(TlsTest, FilesThatDontServeAreRefusedByName) {
  const fs::path missing = folder_ / "missing.pem";
  const fs::path text = write("text.pem", "this is no certificate\n");
  const fs::path empty = write("empty.pem", "");
  const TlsFiles other = make_identity(folder_, "other", "EC");
  const TlsFiles rsa = make_identity(folder_, "rsa", "RSA");
  expect_refused({missing, files_.key}, ErrorCode::kIo, "tls-cert", missing);
  expect_refused({files_.certificate, missing}, ErrorCode::kIo, "tls-key", missing);
  expect_refused({text, files_.key}, ErrorCode::kInvalidArgument, "tls-cert", text);
  expect_refused({empty, files_.key}, ErrorCode::kInvalidArgument, "tls-cert", empty);
  expect_refused({files_.key, files_.key}, ErrorCode::kInvalidArgument, "tls-cert", files_.key);
  expect_refused({files_.certificate, text}, ErrorCode::kInvalidArgument, "tls-key", text);
  expect_refused({files_.certificate, files_.certificate}, ErrorCode::kInvalidArgument, "tls-key",
                 files_.certificate);
  for (const TlsFiles& wrong : {other, rsa}) {
    expect_refused({files_.certificate, wrong.key}, ErrorCode::kInvalidArgument, "tls-key",
                   wrong.key);
    EXPECT_NE(TlsIdentity::load({files_.certificate, wrong.key}).error().message.find("isn't the"),
              std::string::npos);
  }
  EXPECT_TRUE(TlsIdentity::load(rsa));
}

TEST_F(TlsTest, AKeyWithAPassphraseIsRefusedAndNotAskedFor) {
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  const fs::path path = folder_ / "locked.key";
  PEM_write_PrivateKey(File(path).of, key, EVP_aes_128_cbc(),
                       reinterpret_cast<const unsigned char*>("secret"), 6, nullptr, nullptr);
  EVP_PKEY_free(key);
  expect_refused({files_.certificate, path}, ErrorCode::kInvalidArgument, "tls-key", path);
}

TEST_F(TlsTest, BytesComeThroughBothWaysHoweverTheyAreCut) {
  const TlsIdentity identity = TlsIdentity::load(files_).value();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsSession server(identity);
    Client client(version);
    ASSERT_TRUE(client.shake_hands(server)) << version;
    EXPECT_EQ(SSL_version(client.ssl()), version);
    const std::string question(40'000, 'q');
    SSL_write(client.ssl(), question.data(), static_cast<int>(question.size()));
    std::string plain;
    const std::string cipher = client.take_output();
    EXPECT_EQ(cipher.find("qqqq"), std::string::npos);
    for (std::size_t at = 0; at < cipher.size(); at += 777) {
      ASSERT_EQ(server.receive(cipher.substr(at, 777), plain), TlsSession::State::kOpen);
    }
    EXPECT_EQ(plain, question);
    const std::string answer(50'000, 'a');
    ASSERT_TRUE(server.send(answer));
    EXPECT_EQ(client.receive(server.take_output()), answer);
    SSL_shutdown(client.ssl());
    EXPECT_EQ(server.receive(client.take_output(), plain), TlsSession::State::kClosed);
  }
}

TEST_F(TlsTest, OldVersionsAndOtherProtocolsAreRefused) {
  const TlsIdentity identity = TlsIdentity::load(files_).value();
  {
    TlsSession server(identity);
    Client client(TLS1_1_VERSION);
    EXPECT_FALSE(client.shake_hands(server));
    EXPECT_FALSE(server.take_output().empty());  // an alert
  }
  for (const bool speaks_http : {true, false}) {
    TlsSession server(identity);
    Client client;
    const std::string offer = speaks_http ? "\x02h2\x08http/1.1" : "\x02h2";
    SSL_set_alpn_protos(client.ssl(), reinterpret_cast<const unsigned char*>(offer.data()),
                        static_cast<unsigned>(offer.size()));
    EXPECT_EQ(client.shake_hands(server), speaks_http);
  }
  TlsSession server(identity);
  std::string plain;
  EXPECT_EQ(server.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n", plain), TlsSession::State::kFailed);
}

TEST_F(TlsTest, ChangedBytesEndTheSession) {
  const TlsIdentity identity = TlsIdentity::load(files_).value();
  TlsSession server(identity);
  Client client;
  ASSERT_TRUE(client.shake_hands(server));
  SSL_write(client.ssl(), "hello", 5);
  std::string cipher = client.take_output();
  cipher[cipher.size() - 3] = static_cast<char>(cipher[cipher.size() - 3] ^ 1);
  std::string plain;
  EXPECT_EQ(server.receive(cipher, plain), TlsSession::State::kFailed);
  EXPECT_EQ(plain, "");
}

TEST_F(TlsTest, AClientThatOnlyAsksForNewKeysCantFillTheMemory) {
  const TlsIdentity identity = TlsIdentity::load(files_).value();
  TlsSession server(identity);
  Client client(TLS1_3_VERSION);
  ASSERT_TRUE(client.shake_hands(server));
  std::string plain;
  auto state = TlsSession::State::kOpen;
  for (int i = 0; i < 20'000 && state == TlsSession::State::kOpen; ++i) {
    ASSERT_EQ(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    SSL_do_handshake(client.ssl());
    state = server.receive(client.take_output(), plain);
  }
  EXPECT_LT(server.take_output().size(), std::size_t{1} << 17U);
}

// --- behind a socket ---

class EchoHandler final : public HttpHandler {
 public:
  boost::asio::awaitable<void> handle(const Request& request, ResponseStream& stream) override {
    static_cast<void>(co_await stream.send({200, {}, "you said " + request.body}));
  }
  Response render_refusal(const Refusal& refusal) override {
    return {refusal.status, {}, refusal.message};
  }
};

TEST_F(TlsTest, PlainHttpIsToldInPlainHttpWhatIsSpokenHere) {
  EchoHandler handler;
  TestServer server(handler, {.tls = files_});
  TestClient client(server.port());
  const std::string answer = client.exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_NE(answer.find("https://"), std::string::npos);
  EXPECT_NE(answer.find("connection: close"), std::string::npos);
}

TEST_F(TlsTest, AClientThatNeverShakesHandsIsLeft) {
  EchoHandler handler;
  TestServer server(handler, {.tls = files_, .head_timeout = std::chrono::milliseconds(100)});
  TestClient silent(server.port());
  EXPECT_EQ(silent.read_to_end(), "");
  TestClient half(server.port());
  half.send("\x16\x03\x01");
  EXPECT_EQ(half.read_to_end(), "");
}

TEST_F(TlsTest, RequestsAreAnsweredOverTls) {
  EchoHandler handler;
  TestServer server(handler, {.tls = files_});
  TestClient socket(server.port());
  Client client;
  SSL_do_handshake(client.ssl());
  for (int i = 0; i < 5 && SSL_is_init_finished(client.ssl()) == 0; ++i) {
    socket.send(client.take_output());
    client.receive(socket.receive());
  }
  ASSERT_EQ(SSL_is_init_finished(client.ssl()), 1);
  for (int i = 0; i < 2; ++i) {
    const std::string request =
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    SSL_write(client.ssl(), request.data(), static_cast<int>(request.size()));
    socket.send(client.take_output());
    std::string answer;
    for (int j = 0; j < 10 && !answer.ends_with("hello"); ++j) {
      answer += client.receive(socket.receive());
    }
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
    EXPECT_TRUE(answer.ends_with("you said hello")) << answer;
  }
}

}  // namespace
}  // namespace jarip
