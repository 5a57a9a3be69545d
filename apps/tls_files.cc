#include "apps/tls_files.h"

#include <fmt/format.h>

#include "base/log.h"

namespace plinth {

namespace {

// How often the files are looked at: certificates are renewed days before they end.
constexpr timespec kLook{10, 0};

void tell(const absl::StatusOr<bool>& renewed) {
  if (!renewed.ok()) LOG(error, "the certificate stays as it was: {}", renewed.status().ToString());
  if (renewed.ok() && *renewed) LOG(info, "a new certificate is in use");
}

}  // namespace

net::ClientCertificateMode client_certificates(const base::Settings& settings) {
  const auto& mode = settings.text("server.tls_client_certificates");
  if (mode == "required") return net::ClientCertificateMode::required;
  return mode == "optional" ? net::ClientCertificateMode::optional
                            : net::ClientCertificateMode::off;
}

absl::StatusOr<std::shared_ptr<net::TlsIdentity>> load_tls(const base::Settings& settings) {
  const net::TlsFiles files{settings.text("server.tls_certificate"),
                            settings.text("server.tls_key"), client_certificates(settings)};
  if (files.certificate.empty() && files.key.empty()) {
    if (files.clients == net::ClientCertificateMode::off) return nullptr;
    return base::invalid_argument(
        "server.tls_client_certificates needs server.tls_certificate and server.tls_key");
  }
  if (files.certificate.empty() || files.key.empty()) {
    return base::invalid_argument(
        fmt::format("server.{} is empty: a certificate and a key go together",
                    files.key.empty() ? "tls_key" : "tls_certificate"));
  }
  auto tls = net::TlsIdentity::load(files);
  if (!tls.ok()) return base::annotate(tls.status(), "server.tls_certificate and server.tls_key");
  return tls;
}

void wait_for_end(const sigset_t& signals, net::TlsIdentity* tls) {
  for (;;) {
    const int received = tls == nullptr ? ::sigwaitinfo(&signals, nullptr)
                                        : ::sigtimedwait(&signals, nullptr, &kLook);
    if (received > 0 && (received != SIGHUP || tls == nullptr)) return;
    if (received == SIGHUP) {
      const auto status = tls->reload();
      tell(status.ok() ? absl::StatusOr<bool>(true) : status);
    } else if (tls != nullptr) {
      tell(tls->reload_if_changed());
    }
  }
}

}  // namespace plinth
