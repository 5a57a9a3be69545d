#include "api/auth/client_certificate.h"

#include "absl/strings/cord.h"
#include "protocol/generate.h"

namespace plinth::api {

absl::Status check_client_certificate(const Exchange& exchange) {
  const auto mode = exchange.services().client_certificates;
  if (mode == net::ClientCertificateMode::off) return absl::OkStatus();
  static const std::vector<std::string> kNone;
  const auto& chain = exchange.request().client_chain;
  auto status = exchange.services().governance.client_certificates().admit(
      chain == nullptr ? kNone : *chain, exchange.principal.organization,
      exchange.principal.project, mode == net::ClientCertificateMode::required);
  if (!absl::IsPermissionDenied(status)) return status;
  absl::Status told = absl::UnauthenticatedError(status.message());
  told.SetPayload(protocol::kCodePayload, absl::Cord(kInvalidClientCertificate));
  return told;
}

}  // namespace plinth::api
