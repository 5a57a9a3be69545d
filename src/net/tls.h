// The HTTP server over TLS: its certificate and key, which may change while it runs.
//
//   auto tls = TlsIdentity::load({"/etc/plinth/cert.pem", "/etc/plinth/key.pem"});
//   auto server = listen_tls(options, *tls, clock, handle, refuse);
//   (*tls)->reload_if_changed();  // now and then: connections that are open go on as they are
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "net/http_server.h"

extern "C" {
typedef struct ssl_ctx_st SSL_CTX;
}

namespace plinth::net {

// Whether clients are asked for a certificate. Any that is presented is taken here, if its client
// has the key to it: HttpRequest::client_chain has it, and who answers knows whom to trust.
enum class ClientCertificateMode : std::uint8_t {
  off,
  optional,
  required,  // without one the handshake fails
};

struct TlsFiles {
  std::string certificate;  // PEM: the server's own first, then those between it and the root
  std::string key;          // PEM; nobody else may read it
  ClientCertificateMode clients = ClientCertificateMode::off;
};

// Thread-safe. TLS 1.2 and newer.
class TlsIdentity {
 public:
  // InvalidArgument where a file holds no certificate or no key, or they do not belong together;
  // FailedPrecondition where others may read the key.
  static absl::StatusOr<std::shared_ptr<TlsIdentity>> load(const TlsFiles& files);
  ~TlsIdentity();

  // For new connections, from now on. Where it fails what was there stays.
  absl::Status reload();
  // The same where a file is another one, or was written, since it was last looked at. Whether it
  // was.
  absl::StatusOr<bool> reload_if_changed();
  // What the server's certificate is good until, in seconds since 1970.
  std::int64_t expires_unix_s() const;

  // Shared with the connections that began with it.
  std::shared_ptr<SSL_CTX> context() const;

 private:
  struct Impl;
  explicit TlsIdentity(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

// As HttpServer::listen(). The identity is shared with whoever reloads it.
absl::StatusOr<std::unique_ptr<HttpServer>> listen_tls(const HttpServerOptions& options,
                                                       std::shared_ptr<TlsIdentity> tls,
                                                       const base::Clock& clock,
                                                       HttpHandler handler, HttpRefusal refusal);

}  // namespace plinth::net
