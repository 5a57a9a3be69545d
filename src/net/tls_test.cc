// The server over TLS, on loopback, with certificates made here.
#include "net/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"

namespace plinth::net {
namespace {

using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
using Certificate = std::unique_ptr<X509, void (*)(X509*)>;

Key new_key() { return {EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free}; }

Certificate new_certificate(EVP_PKEY* key, const std::string& name) {
  Certificate made(X509_new(), X509_free);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key);
  X509_NAME* subject = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(made.get(), subject);
  X509_sign(made.get(), key, EVP_sha256());
  return made;
}

// What PEM_write_... writes into memory.
std::string pem(const std::function<int(BIO*)>& write) {
  const std::unique_ptr<BIO, int (*)(BIO*)> memory(BIO_new(BIO_s_mem()), BIO_free);
  EXPECT_EQ(write(memory.get()), 1);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// A client that speaks TLS over a blocking socket.
class TlsClient {
 public:
  // With a certificate and its key, where they are given.
  explicit TlsClient(std::uint16_t port, int version_max = 0, const std::string& protocols = "",
                     const std::vector<X509*>& chain = {}, EVP_PKEY* key = nullptr)
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free),
        fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        ssl_(nullptr, SSL_free) {
    if (version_max != 0) SSL_CTX_set_max_proto_version(context_.get(), version_max);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    // So that what is refused is refused by the server.
    SSL_CTX_set_security_level(context_.get(), 0);
    for (auto* certificate : chain) {
      if (certificate == chain.front()) {
        SSL_CTX_use_certificate(context_.get(), certificate);
        SSL_CTX_use_PrivateKey(context_.get(), key);
      } else {
        SSL_CTX_add1_chain_cert(context_.get(), certificate);
      }
    }
    ssl_.reset(SSL_new(context_.get()));
    if (!protocols.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{30, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const bool connected =
        ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    SSL_set_fd(ssl_.get(), fd_.get());
    greeted_ = connected && SSL_connect(ssl_.get()) == 1;
    ERR_clear_error();
  }

  bool greeted() const { return greeted_; }
  std::string protocol() const {
    const unsigned char* data = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &data, &size);
    return {reinterpret_cast<const char*>(data), size};
  }
  std::string server_name() const {
    const Certificate certificate(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    char name[128] = "";
    if (certificate != nullptr) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                                sizeof name);
    }
    return name;
  }
  void send(std::string_view bytes) {
    EXPECT_EQ(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())),
              static_cast<int>(bytes.size()));
  }
  // The same where the server may have gone away.
  bool sends(std::string_view bytes) {
    const int sent = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    ERR_clear_error();
    return sent == static_cast<int>(bytes.size());
  }
  // A whole answer with a content-length; less where the connection ends.
  std::string read_answer() {
    std::string all;
    char piece[1 << 14];
    for (;;) {
      const auto end = all.find("\r\n\r\n");
      if (end != std::string::npos) {
        const auto at = all.find("content-length: ");
        const std::size_t size = at == std::string::npos ? 0 : std::stoul(all.substr(at + 16));
        if (all.size() >= end + 4 + size) return all;
      }
      const int got = SSL_read(ssl_.get(), piece, sizeof piece);
      if (got <= 0) return all;
      all.append(piece, static_cast<std::size_t>(got));
    }
  }
  std::string ask(const std::string& path, const std::string& body = "") {
    send("POST " + path + " HTTP/1.1\r\nhost: h\r\ncontent-length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body);
    return read_answer();
  }

 private:
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  base::UniqueFd fd_;
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  bool greeted_ = false;
};

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    std::string pattern = testing::TempDir() + "tls_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    files_ = {folder_ + "/cert.pem", folder_ + "/key.pem"};
    write("first.example");
    auto tls = TlsIdentity::load(files_);
    ASSERT_TRUE(tls.ok()) << tls.status();
    tls_ = *std::move(tls);
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }
  // A new certificate and key.
  void write(const std::string& name) {
    const Key key = new_key();
    const Certificate certificate = new_certificate(key.get(), name);
    write_file(files_.certificate,
               pem([&](BIO* to) { return PEM_write_bio_X509(to, certificate.get()); }), 0644);
    write_file(files_.key, pem([&](BIO* to) {
                 return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr,
                                                 nullptr);
               }),
               0600);
  }
  static void write_file(const std::string& path, std::string_view text, unsigned mode) {
    ASSERT_TRUE(base::write_file_atomic(path, text, mode).ok());
  }
  void ask_clients(ClientCertificateMode mode) {
    files_.clients = mode;
    auto tls = TlsIdentity::load(files_);
    ASSERT_TRUE(tls.ok()) << tls.status();
    tls_ = *std::move(tls);
    listen();
  }
  void listen(HttpServerOptions options = {}) {
    options.tick = std::chrono::milliseconds(1);
    auto server = listen_tls(
        options, tls_, clock_,
        [this](HttpRequest request, HttpReplyPtr reply) {
          std::string chain;
          if (request.client_chain != nullptr) {
            for (const auto& der : *request.client_chain) chain += " " + std::to_string(der.size());
            certificates = *request.client_chain;
          }
          reply->send(200, {}, request.path + chain + " " + request.body);
        },
        [](int, std::string_view reason) {
          return HttpAnswer{{}, std::string(reason)};
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::vector<std::string> certificates;  // of the last request; written before it is answered
  std::string folder_;
  TlsFiles files_;
  base::FakeClock clock_;
  std::shared_ptr<TlsIdentity> tls_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(TlsTest, AnswersOneRequestAfterAnother) {
  listen();
  TlsClient client(server_->port());
  ASSERT_TRUE(client.greeted());
  EXPECT_EQ(client.server_name(), "first.example");
  EXPECT_TRUE(client.ask("/a", "b").ends_with("/a b"));
  EXPECT_TRUE(client.ask("/c", "d").ends_with("/c d"));
}

std::string der(X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  std::string text(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return text;
}

TEST_F(TlsTest, HandsOnWhatAClientPresents) {
  const Key key = new_key();
  const Certificate own = new_certificate(key.get(), "client"),
                    above = new_certificate(key.get(), "between");
  ask_clients(ClientCertificateMode::optional);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    certificates.clear();
    TlsClient client(server_->port(), version, "", {own.get(), above.get()}, key.get());
    ASSERT_TRUE(client.greeted());
    // Of every request of the connection.
    for (int i = 0; i < 2; ++i) {
      certificates.clear();
      ASSERT_NE(client.ask("/").find(" 200 "), std::string::npos);
      EXPECT_EQ(certificates, (std::vector{der(own.get()), der(above.get())}));
    }
    TlsClient other(server_->port(), version);
    ASSERT_TRUE(other.greeted());
    EXPECT_TRUE(other.ask("/", "x").ends_with("/ x")) << "presented none";
  }
}

TEST_F(TlsTest, AsksNobodyUnlessItIsTold) {
  const Key key = new_key();
  const Certificate own = new_certificate(key.get(), "client");
  listen();
  TlsClient client(server_->port(), 0, "", {own.get()}, key.get());
  ASSERT_TRUE(client.greeted());
  EXPECT_TRUE(client.ask("/", "x").ends_with("/ x"));
}

TEST_F(TlsTest, WithoutARequiredCertificateThereIsNoAnswer) {
  ask_clients(ClientCertificateMode::required);
  const Key key = new_key();
  const Certificate own = new_certificate(key.get(), "client");
  const auto answers = [&](int version, const std::vector<X509*>& chain) {
    TlsClient client(server_->port(), version, "", chain, key.get());
    // A client of TLS 1.3 hears of it with the first answer.
    return client.greeted() && client.sends("GET / HTTP/1.1\r\nhost: h\r\n\r\n") &&
           client.read_answer().starts_with("HTTP/1.1 200");
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_FALSE(answers(version, {})) << version;
    EXPECT_TRUE(answers(version, {own.get()})) << version;
  }
  // A renewed certificate of the server's changes nothing about it.
  write("second.example");
  ASSERT_TRUE(tls_->reload().ok());
  EXPECT_FALSE(answers(TLS1_2_VERSION, {}));
  EXPECT_TRUE(answers(TLS1_3_VERSION, {own.get()}));
}

TEST_F(TlsTest, LargeBodiesPassBothWays) {
  listen();
  TlsClient client(server_->port());
  ASSERT_TRUE(client.greeted());
  const std::string body(3 << 20, 'x');
  const auto answer = client.ask("/", body);
  EXPECT_TRUE(answer.ends_with("/ " + body)) << answer.size();
}

TEST_F(TlsTest, TakesTls12AndNothingOlder) {
  listen();
  EXPECT_TRUE(TlsClient(server_->port(), TLS1_2_VERSION).greeted());
  EXPECT_FALSE(TlsClient(server_->port(), TLS1_1_VERSION).greeted());
}

TEST_F(TlsTest, SpeaksHttp11ToWhoCanAndToNobodyElse) {
  listen();
  const std::string both = "\x02h2\x08http/1.1", other = "\x02h2";
  TlsClient client(server_->port(), 0, both);
  EXPECT_EQ(client.protocol(), "http/1.1");
  EXPECT_FALSE(TlsClient(server_->port(), 0, other).greeted());
}

TEST_F(TlsTest, PlainHttpIsNoAnswerAndNoHarm) {
  listen();
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server_->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string_view request = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
  ASSERT_EQ(::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string got;
  char piece[256];
  for (ssize_t n = 0; (n = ::recv(fd.get(), piece, sizeof piece, 0)) > 0;)
    got.append(piece, static_cast<std::size_t>(n));
  EXPECT_EQ(got.find("HTTP"), std::string::npos);
  EXPECT_TRUE(TlsClient(server_->port()).greeted());
}

TEST_F(TlsTest, WhoSaysNothingIsNotWaitedFor) {
  listen();
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server_->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const timeval limit{5, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char byte = 0;
  ssize_t got = -1;
  // A step may come before the server has seen the connection; all of them together stay below
  // kHttpIdleMax, which would end it, too.
  for (int i = 0; i < 4 && got < 0; ++i) {
    clock_.advance(kHttpHeaderTimeMax + std::chrono::seconds(1));
    got = ::recv(fd.get(), &byte, 1, 0);
  }
  EXPECT_EQ(got, 0) << "the connection is still open";
}

TEST_F(TlsTest, ANewCertificateIsForNewConnections) {
  listen();
  TlsClient before(server_->port());
  EXPECT_TRUE(before.ask("/a").ends_with("/a "));
  EXPECT_FALSE(*tls_->reload_if_changed());
  write("second.example");
  EXPECT_TRUE(*tls_->reload_if_changed());
  EXPECT_FALSE(*tls_->reload_if_changed());
  EXPECT_EQ(TlsClient(server_->port()).server_name(), "second.example");
  EXPECT_TRUE(before.ask("/b").ends_with("/b ")) << "an open connection was dropped";
}

TEST_F(TlsTest, ABrokenFileLeavesWhatWasThere) {
  listen();
  const auto certificate = *base::read_file(files_.certificate, 1 << 16);
  write_file(files_.certificate, "no certificate", 0644);
  EXPECT_TRUE(absl::IsInvalidArgument(tls_->reload_if_changed().status()));
  EXPECT_FALSE(*tls_->reload_if_changed()) << "it is complained of once";
  EXPECT_TRUE(absl::IsInvalidArgument(tls_->reload()));
  EXPECT_EQ(TlsClient(server_->port()).server_name(), "first.example");
  // Another key than the certificate's.
  write("second.example");
  write_file(files_.certificate, certificate, 0644);
  EXPECT_TRUE(absl::IsInvalidArgument(tls_->reload()));
  std::filesystem::remove(files_.key);
  EXPECT_FALSE(tls_->reload().ok());
  EXPECT_EQ(TlsClient(server_->port()).server_name(), "first.example");
}

TEST_F(TlsTest, AKeyThatOthersMayReadIsRefused) {
  ASSERT_EQ(::chmod(files_.key.c_str(), 0640), 0);
  const auto refused = TlsIdentity::load(files_);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.status().message().find("chmod 600"), std::string::npos);
}

TEST_F(TlsTest, OneTooManyIsToldSo) {
  HttpServerOptions options;
  options.connections_max = 1;
  listen(options);
  TlsClient first(server_->port());
  EXPECT_TRUE(first.greeted());
  // The first waits for nothing, and makes room.
  TlsClient second(server_->port());
  EXPECT_TRUE(second.ask("/x").ends_with("/x "));
}

}  // namespace
}  // namespace plinth::net
