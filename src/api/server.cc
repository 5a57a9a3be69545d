#include "api/server.h"

#include <fmt/format.h>

#include <random>

#include "api/exchange.h"
#include "api/limits.h"
#include "api/pipeline.h"
#include "api/routes.h"
#include "api/work_queue.h"
#include "base/log.h"
#include "net/http_server.h"
#include "store/ledger_writer.h"

namespace plinth::api {

namespace {

static_assert(kCloseWait > store::LedgerWriter::kAwayMax);

std::uint64_t system_entropy() {
  std::random_device device;  // reads the system's own source every time
  return (std::uint64_t{device()} << 32) | device();
}

class ServerImpl final : public Server {
 public:
  ServerImpl(const ServerOptions& options, cluster::ModelService& models,
             governance::Governance& governance, const base::Clock& clock, base::Metrics& metrics)
      : services_{models,
                  governance,
                  clock,
                  metrics,
                  options.entropy ? options.entropy : system_entropy,
                  options.ignore_unknown_fields,
                  options.content_policy,
                  options.public_url,
                  &slow_,
                  options.client_certificates,
                  &open_,
                  &files_,
                  options.tuned_models} {}

  // Requests outlive their connections: what they still wait for (blocks of a limit, a durable row)
  // comes to them on threads of others, and they answer with what belongs to this.
  ~ServerImpl() override {
    http_.reset();
    services_.governance.admission().refuse_waiting();
    if (!open_.wait_for_none(kCloseWait)) LOG(error, "requests are left that nothing ended");
  }

  absl::Status listen(const ServerOptions& options) {
    pipeline_.request_max = options.request_max;
    pipeline_.cors.origins = options.cors_origins;
    for (const auto& text : options.trusted_proxies) {
      const auto network = governance::Network::parse(text);
      if (!network.ok()) {
        return base::invalid_argument(
            fmt::format("server.trusted_proxies: {}", base::message(network.status())));
      }
      pipeline_.trusted_proxies.push_back(*network);
    }
    net::HttpServerOptions http;
    http.streamed = streamed_body_max;
    http.address = options.address;
    http.port = options.port;
    const auto handle = [this](net::HttpRequest request, net::HttpReplyPtr reply) {
      run_pipeline(services_, pipeline_, std::move(request), std::move(reply));
    };
    const auto refuse = [this](int status, std::string_view reason) {
      return refusal_answer(services_.clock, status, reason);
    };
    if (options.tls != nullptr) {
      ASSIGN_OR_RETURN(http_, net::listen_tls(http, options.tls, services_.clock, handle, refuse));
    } else {
      ASSIGN_OR_RETURN(http_, net::HttpServer::listen(http, services_.clock, handle, refuse));
    }
    return absl::OkStatus();
  }

  std::uint16_t port() const override { return http_->port(); }
  void drain(std::chrono::milliseconds grace) override { http_->drain(grace); }

 private:
  OpenExchanges open_;
  Services services_;
  PipelineOptions pipeline_;
  WorkQueue slow_;  // after what its threads use, as is
  WorkQueue files_{{kFileThreads, kFileWorkMax, "Too many files are on their way; retry later."}};
  std::unique_ptr<net::HttpServer> http_;  // last: its threads use the fields above
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::create(const ServerOptions& options,
                                                       cluster::ModelService& models,
                                                       governance::Governance& governance,
                                                       const base::Clock& clock,
                                                       base::Metrics& metrics) {
  auto server = std::make_unique<ServerImpl>(options, models, governance, clock, metrics);
  RETURN_IF_ERROR(server->listen(options));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace plinth::api
