#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>

#include <cstring>
#include <ctime>
#include <mutex>
#include <string_view>
#include <utility>

#include "net/limits.h"
#include "net/tls.h"

namespace plinth::net {

namespace {

// What is left of TLS 1.2 with forward secrecy and authenticated encryption; 1.3 has nothing else.
constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char kHttp11[] = "\x08http/1.1";

std::string first_reason() {
  const auto code = ERR_peek_error();  // the first, which is the cause
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "it cannot be used" : reason;
}

// By which a file that was replaced or written is another one.
struct Stamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified_ns = 0;
  bool operator==(const Stamp&) const = default;
};
absl::StatusOr<Stamp> stamp_of(const std::string& path, bool secret) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return base::errno_status(errno, "[tls] " + path);
  if (secret && (info.st_mode & 077) != 0) {
    return base::failed_precondition(
        fmt::format("[tls] {} can be read or written by others: chmod 600 it", path));
  }
  return Stamp{info.st_dev, info.st_ino, info.st_size,
               info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned in_size, void*) {
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof kHttp11 - 1, in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// The chain is judged where it is known who asks (governance::ClientCertificates). That its client
// has the key is TLS's own to check.
int take_any_chain(X509_STORE_CTX*, void*) { return 1; }

void ask_clients(SSL_CTX* context, ClientCertificateMode mode) {
  if (mode == ClientCertificateMode::off) return;
  const int fail = mode == ClientCertificateMode::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | fail, nullptr);
  SSL_CTX_set_cert_verify_callback(context, take_any_chain, nullptr);
  SSL_CTX_set_max_cert_list(context, kTlsClientChainBytesMax);
  // A session that is taken up again would come without the chain.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
}

absl::StatusOr<std::shared_ptr<SSL_CTX>> make_context(const TlsFiles& files) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr) return base::internal("[tls] no context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE |
                                         SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  ask_clients(context.get(), files.clients);
  if (SSL_CTX_set_cipher_list(context.get(), kCiphers) != 1)
    return base::internal("[tls] no ciphers: " + first_reason());
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1)
    return base::invalid_argument(fmt::format("[tls] {}: {}", files.certificate, first_reason()));
  // A key of another certificate is refused here, too.
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return base::invalid_argument(fmt::format("[tls] {}: {}", files.key, first_reason()));
  }
  return context;
}

}  // namespace

struct TlsIdentity::Impl {
  explicit Impl(TlsFiles of) : files(std::move(of)) {}

  const TlsFiles files;
  std::mutex loading;  // one at a time
  mutable std::mutex mutex;
  // Protected by mutex.
  std::shared_ptr<SSL_CTX> context;
  Stamp certificate, key;  // as they were last looked at
};

TlsIdentity::TlsIdentity(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsIdentity::~TlsIdentity() = default;

absl::StatusOr<std::shared_ptr<TlsIdentity>> TlsIdentity::load(const TlsFiles& files) {
  std::shared_ptr<TlsIdentity> made =
      std::unique_ptr<TlsIdentity>(new TlsIdentity(std::make_unique<Impl>(files)));
  RETURN_IF_ERROR(made->reload());
  return made;
}

absl::Status TlsIdentity::reload() {
  std::lock_guard one(impl_->loading);
  ASSIGN_OR_RETURN(const auto certificate, stamp_of(impl_->files.certificate, false));
  ASSIGN_OR_RETURN(const auto key, stamp_of(impl_->files.key, true));
  {
    // Looked at, whatever comes of it: a broken file is complained of once.
    std::lock_guard lock(impl_->mutex);
    impl_->certificate = certificate;
    impl_->key = key;
  }
  ASSIGN_OR_RETURN(auto context, make_context(impl_->files));
  std::lock_guard lock(impl_->mutex);
  impl_->context = std::move(context);
  return absl::OkStatus();
}

absl::StatusOr<bool> TlsIdentity::reload_if_changed() {
  ASSIGN_OR_RETURN(const auto certificate, stamp_of(impl_->files.certificate, false));
  ASSIGN_OR_RETURN(const auto key, stamp_of(impl_->files.key, true));
  {
    std::lock_guard lock(impl_->mutex);
    if (certificate == impl_->certificate && key == impl_->key) return false;
  }
  RETURN_IF_ERROR(reload());
  return true;
}

std::int64_t TlsIdentity::expires_unix_s() const {
  const auto shared = context();
  const X509* certificate = SSL_CTX_get0_certificate(shared.get());
  std::tm time{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) {
    return 0;
  }
  return ::timegm(&time);
}

std::shared_ptr<SSL_CTX> TlsIdentity::context() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->context;
}

}  // namespace plinth::net
