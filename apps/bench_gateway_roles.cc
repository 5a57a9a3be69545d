#include "apps/bench_gateway_roles.h"

#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <thread>

#include "api/server.h"
#include "base/file.h"
#include "base/json.h"
#include "cluster/fleet.h"
#include "engine/engine.h"
#include "engine/fake_runner.h"
#include "governance/governance.h"
#include "net/rpc_link.h"
#include "protocol/codec.h"
#include "worker/outbox.h"

namespace plinth {

namespace {

constexpr char kTemplate[] = "{% for m in messages %}{{ m['content'] }}{% endfor %}";
// Room for every stream that the gateway takes.
constexpr std::int32_t kSequencesMax = 4096;
constexpr std::int32_t kContextTokens = 2048;

class PacedRunner final : public engine::Runner {
 public:
  PacedRunner(std::unique_ptr<engine::Runner> runner, std::chrono::milliseconds step)
      : runner_(std::move(runner)), step_(step) {}
  const engine::RunnerInfo& info() const override { return runner_->info(); }
  absl::Status allocate_kv(std::int32_t blocks) override { return runner_->allocate_kv(blocks); }
  absl::Status forward(std::span<const engine::BatchEntry> batch,
                       std::span<const float>& logits) override {
    std::this_thread::sleep_until(next_);
    next_ = std::max(next_, std::chrono::steady_clock::now()) + step_;
    return runner_->forward(batch, logits);
  }
  void clear_blocks(std::span<const engine::BlockId> blocks) override {
    runner_->clear_blocks(blocks);
  }

 private:
  const std::unique_ptr<engine::Runner> runner_;
  const std::chrono::milliseconds step_;
  std::chrono::steady_clock::time_point next_;
};

// Starts the fleet's workers as this program's fake ones.
class FakeWorkers final : public cluster::Executor {
 public:
  explicit FakeWorkers(int step_ms)
      : executor_(cluster::make_local_executor("/proc/self/exe")), step_ms_(step_ms) {}
  absl::StatusOr<std::unique_ptr<cluster::WorkerProcess>> start(
      const cluster::WorkerSpec& spec) override {
    const auto socket = std::find(spec.arguments.begin(), spec.arguments.end(), "--socket");
    if (socket == spec.arguments.end()) return base::internal("[bench] a worker without a socket");
    auto fake = spec;
    fake.arguments = {"bench",    "gateway",          "--role",    "worker",
                      "--socket", *std::next(socket), "--step-ms", std::to_string(step_ms_)};
    return executor_->start(fake);
  }

 private:
  const std::unique_ptr<cluster::Executor> executor_;
  const int step_ms_;
};

// A model of a few bytes, for the library to have one.
absl::Status install_model(const cluster::ModelLibrary& library) {
  const std::string sha(64, '0');
  const std::string file = library.blobs().partial_folder() + "/fake";
  RETURN_IF_ERROR(base::make_folders(library.blobs().partial_folder()));
  RETURN_IF_ERROR(base::write_file_atomic(file, "no weights"));
  RETURN_IF_ERROR(library.blobs().adopt(file, sha));
  return library.install({kBenchModel, "Fake", "chat", "", 1, {{"fake.gguf", sha, 10}}}).status();
}

}  // namespace

absl::Status run_bench_gateway(const std::string& home, int step_ms) {
  ::signal(SIGPIPE, SIG_IGN);
  const base::RealClock clock;
  base::Metrics metrics;
  ASSIGN_OR_RETURN(const auto database, store::Database::open(home + "/plinth.db"));
  ASSIGN_OR_RETURN(const auto governance, governance::Governance::open(home, *database, clock));
  ASSIGN_OR_RETURN(const auto credentials, governance->keys().first_start());
  ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(home));
  RETURN_IF_ERROR(install_model(library));
  FakeWorkers executor(step_ms);
  cluster::FleetOptions options;
  options.run_folder = home + "/run";
  options.log_folder = home + "/logs";
  options.lease_max = std::chrono::hours(1);  // the fake worker sends no heartbeats
  ASSIGN_OR_RETURN(const auto fleet,
                   cluster::Fleet::create(options, library, executor, clock, metrics));
  RETURN_IF_ERROR(fleet->load(kBenchModel));
  fleet->set_ready();
  api::ServerOptions server_options;
  server_options.port = 0;
  ASSIGN_OR_RETURN(const auto server,
                   api::Server::create(server_options, *fleet, *governance, clock, metrics));
  fmt::print("{}\n", base::to_json(base::json::object{{"port", server->port()},
                                                      {"api_key", credentials.api_key}}));
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  server->drain(std::chrono::milliseconds(100));
  fleet->drain(std::chrono::milliseconds(100));
  return absl::OkStatus();
}

absl::Status run_bench_worker(const std::string& socket, int step_ms) {
  ::signal(SIGPIPE, SIG_IGN);
  const char* token = ::getenv(cluster::kWorkerTokenVariable);
  if (token == nullptr) return base::failed_precondition("this role is for `plinth bench gateway`");
  ASSIGN_OR_RETURN(const auto link, net::dial_rpc(socket, {}));
  RETURN_IF_ERROR(link->send(encode(protocol::ToGateway(protocol::Hello{token}))));
  if (!link->receive()) return base::unavailable("[bench] the gateway ended the link");
  const base::RealClock clock;
  ASSIGN_OR_RETURN(auto chat_template, model::ChatTemplate::parse(kTemplate));
  engine::EngineOptions options;
  options.sequences_max = kSequencesMax;
  options.queue_max = kSequencesMax;
  options.step_tokens_max = 2 * kSequencesMax;
  options.context_tokens = kContextTokens;
  engine::FakeRunnerOptions runner;
  runner.context_tokens_max = kContextTokens;
  worker::Outbox outbox(*link);
  ASSIGN_OR_RETURN(const auto engine,
                   engine::Engine::create(
                       options,
                       std::make_unique<PacedRunner>(engine::make_fake_runner(runner),
                                                     std::chrono::milliseconds(step_ms)),
                       engine::make_byte_tokenizer(),
                       std::make_unique<model::ChatTemplate>(std::move(chat_template)), clock));
  std::map<protocol::CallId, engine::PreparedRequest> held;
  const auto submit = [&](protocol::CallId call, engine::PreparedRequest request) {
    const auto status = engine->submit(
        std::move(request), [&outbox, call](std::vector<protocol::GenerateEvent> events) {
          outbox.events(call, std::move(events));
        });
    if (!status.ok()) outbox.events(call, {protocol::Finished{status, {}}});
  };
  outbox.message(protocol::Ready{true, false, engine->context_tokens(), kSequencesMax});
  while (const auto frame = link->receive()) {
    ASSIGN_OR_RETURN(auto message, protocol::decode_to_worker(*frame));
    if (auto* start = std::get_if<protocol::StartGenerate>(&message)) {
      const auto call = start->call;
      start->request.request_id = std::to_string(call);
      ASSIGN_OR_RETURN(auto prepared, engine->prepare(std::move(start->request)));
      outbox.events(call, {protocol::Prepared{static_cast<std::int32_t>(prepared.prompt.size()),
                                              prepared.output_tokens_max}});
      held.emplace(call, std::move(prepared));
    } else if (const auto* commit = std::get_if<protocol::CommitCall>(&message)) {
      const auto found = held.extract(commit->call);
      if (!found.empty()) submit(commit->call, std::move(found.mapped()));
    } else if (const auto* cancel = std::get_if<protocol::CancelCall>(&message)) {
      held.erase(cancel->call);
      engine->cancel(std::to_string(cancel->call));
    }
  }
  return absl::OkStatus();
}

}  // namespace plinth
