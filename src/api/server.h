// The gateway's HTTP face.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/status.h"
#include "cluster/model_service.h"
#include "cluster/tuned_models.h"
#include "governance/governance.h"
#include "net/tls.h"

namespace plinth::api {

// Where an identity provider sends browsers back to, at the public address.
inline constexpr char kProviderReturnPath[] = "/auth/oidc/done";

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;
  std::shared_ptr<net::TlsIdentity> tls;  // null: plain HTTP; shared with whoever reloads it
  // What `tls` asks of clients, and so what callers are held to.
  net::ClientCertificateMode client_certificates = net::ClientCertificateMode::off;
  // Passes over request fields that the server does not know, instead of refusing them by name.
  bool ignore_unknown_fields = false;
  // Random bits for what must not be guessed; empty = the system's.
  std::function<std::uint64_t()> entropy;
  // Web pages that may call this gateway: "https://app.example", or "*" for every one.
  std::vector<std::string> cors_origins;
  // Networks of proxies whose X-Forwarded-For says who asks. InvalidArgument for what is none.
  std::vector<std::string> trusted_proxies;
  // The content policy where no deployment has its own.
  std::string content_policy = "Plinth.Off";
  // Where browsers find this service; "" = unknown.
  std::string public_url = "";
  // Removes tuned models; outlives the server. Null: they cannot be removed here.
  cluster::TunedModels* tuned_models = nullptr;
  // No answer takes longer.
  base::Duration request_max = std::chrono::minutes(30);
};

class Server {
 public:
  // The references outlive the server.
  static absl::StatusOr<std::unique_ptr<Server>> create(const ServerOptions& options,
                                                        cluster::ModelService& models,
                                                        governance::Governance& governance,
                                                        const base::Clock& clock,
                                                        base::Metrics& metrics);
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  virtual void drain(std::chrono::milliseconds grace) = 0;
};

}  // namespace plinth::api
