// The certificate and key of the settings, and their renewal while the service runs.
#pragma once

#include <csignal>
#include <memory>

#include "base/settings.h"
#include "net/tls.h"

namespace plinth {

net::ClientCertificateMode client_certificates(const base::Settings& settings);

// Null where the settings name none. InvalidArgument names the setting that is missing or wrong.
absl::StatusOr<std::shared_ptr<net::TlsIdentity>> load_tls(const base::Settings& settings);

// Waits for one of `signals`, which are blocked, that ends the service: with TLS SIGHUP does not,
// but makes it read the files again, as a change of them does.
void wait_for_end(const sigset_t& signals, net::TlsIdentity* tls);

}  // namespace plinth
