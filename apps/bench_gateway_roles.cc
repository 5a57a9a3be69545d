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
#include "governance/limits.h"
#include "net/http_server.h"
#include "net/rpc_link.h"
#include "protocol/codec.h"
#include "worker/outbox.h"

namespace plinth {

namespace {

constexpr char kTemplate[] = "{% for m in messages %}{{ m['content'] }}{% endfor %}";
// Room for every stream that the gateway takes.
constexpr std::int32_t kSequencesMax = 4096;
constexpr std::int32_t kContextTokens = 2048;

// A model that costs nothing: it always writes the letter a. Every step takes at least `step`.
class PacedRunner final : public engine::Runner {
 public:
  explicit PacedRunner(std::chrono::milliseconds step) : step_(step) {
    info_.vocab_size = 256;
    info_.context_tokens_max = kContextTokens;
    info_.kv_block_bytes = 1024;
    info_.fingerprint = "fp_bench";
  }
  const engine::RunnerInfo& info() const override { return info_; }
  absl::Status allocate_kv(std::int32_t) override { return absl::OkStatus(); }
  absl::Status forward(std::span<const engine::BatchEntry> batch,
                       std::span<const float>& logits) override {
    std::this_thread::sleep_until(next_);
    next_ = std::max(next_, std::chrono::steady_clock::now()) + step_;
    std::size_t rows = 0;
    for (const auto& entry : batch) rows += static_cast<std::size_t>(entry.logits);
    const auto columns = static_cast<std::size_t>(info_.vocab_size);
    for (auto made = logits_.size() / columns; made < rows; ++made) {
      logits_.resize(logits_.size() + columns, 0.0f);
      logits_[made * columns + 'a'] = 100;
    }
    logits = std::span(logits_).first(rows * columns);
    return absl::OkStatus();
  }
  void clear_blocks(std::span<const engine::BlockId>) override {}

 private:
  const std::chrono::milliseconds step_;
  std::chrono::steady_clock::time_point next_;
  engine::RunnerInfo info_;
  std::vector<float> logits_;  // [rows of the widest step, vocabulary]
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

// A price, and of each kind of limit one that no benchmark reaches.
absl::Status set_limits(governance::Admission& admission) {
  const std::string project = governance::kDefaultTenant;
  for (const auto* resource : {"requests_per_minute", "tokens_per_minute", "requests_per_day"})
    RETURN_IF_ERROR(
        admission.set_limit({"project", project, kBenchModel, resource, governance::kLimitMax}));
  for (const auto* period : {"day", "month"})
    RETURN_IF_ERROR(
        admission.set_budget({"project", project, period, governance::kBudgetPicoMax, 0, 0}));
  const auto version = admission.insert_price({kBenchModel, "standard", 0, 10, 1, 40, 0});
  return absl::IsAlreadyExists(version.status()) ? absl::OkStatus() : version.status();
}

void print_ready_line(std::uint16_t port, const std::string& api_key) {
  fmt::print("{}\n", base::to_json(base::json::object{{"port", port}, {"api_key", api_key}}));
  std::fflush(stdout);
}

void wait_for_end_of_input() {
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

// An answer of 16 tokens takes some 900 bytes with its headers.
constexpr std::size_t kBareBodyBytes = 500;
// A stream's chunks: the role, 16 tokens that come gathered, the end and its usage.
constexpr int kBareChunks = 4;
constexpr std::size_t kBareChunkBytes = 300;

}  // namespace

absl::Status run_bench_bare_server(bool streamed) {
  ::signal(SIGPIPE, SIG_IGN);
  const base::RealClock clock;
  const auto answer = [streamed](const net::HttpRequest&, const net::HttpReplyPtr& reply) {
    if (!streamed) return reply->send(200, {}, std::string(kBareBodyBytes, 'a'));
    reply->start_stream(200, {});
    for (int i = 0; i < kBareChunks; ++i) reply->write(std::string(kBareChunkBytes, 'a'));
    reply->end_stream();
  };
  ASSIGN_OR_RETURN(const auto server,
                   net::HttpServer::listen(
                       {}, clock, answer, [](int, std::string_view) { return net::HttpAnswer{}; }));
  print_ready_line(server->port(), "none");
  wait_for_end_of_input();
  return absl::OkStatus();
}

absl::Status run_bench_gateway(const std::string& home, int step_ms, const std::string& where) {
  ::signal(SIGPIPE, SIG_IGN);
  const base::RealClock clock;
  base::Metrics metrics;
  ASSIGN_OR_RETURN(const auto database,
                   store::Database::open(where.empty() ? home + "/plinth.db" : where));
  ASSIGN_OR_RETURN(const auto governance, governance::Governance::open(home, *database, clock));
  ASSIGN_OR_RETURN(const auto credentials, governance->keys().first_start());
  ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(home));
  RETURN_IF_ERROR(install_model(library));
  RETURN_IF_ERROR(set_limits(governance->admission()));
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
  print_ready_line(server->port(), credentials.api_key);
  wait_for_end_of_input();
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
  worker::Outbox outbox(*link);
  options.after_step = [&outbox] { outbox.flush(); };
  ASSIGN_OR_RETURN(const auto engine,
                   engine::Engine::create(
                       options, std::make_unique<PacedRunner>(std::chrono::milliseconds(step_ms)),
                       engine::make_byte_tokenizer(),
                       std::make_unique<model::ChatTemplate>(std::move(chat_template)), clock));
  std::map<protocol::CallId, engine::PreparedRequest> held;
  const auto submit = [&](protocol::CallId call, engine::PreparedRequest request) {
    auto sink = outbox.sink(call, request.spec.gathered, clock);
    const auto status = engine->submit(std::move(request), std::move(sink));
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
