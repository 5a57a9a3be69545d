// The forward pass alone: no server, no sampling, fixed tokens, fresh pages for every measurement.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "apps/bench_adapters.h"
#include "apps/bench_command.h"
#include "apps/command_line.h"
#include "apps/terminal.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "engine/engine.h"
#include "engine/model_runner.h"
#include "model/model_file.h"
#include "tensor/tuning_file.h"

namespace plinth {

namespace {

using engine::BatchEntry;
using engine::BlockId;
using engine::kBlockTokens;

struct BenchModelArguments {
  std::string model;
  int threads = 0;
  std::vector<int> prefill = {128, 512};
  std::vector<int> streams = {1, 8, 32};
  int context = 64;  // tokens of each stream before its first measured step
  int steps = 32;
  int first_token = 40;
  int repeats = 3;
  bool exact = false;
  std::string packed;  // file of packed weights, or ""
  std::string tuning;  // file of choices of blocking, or ""
  bool autotune = true;
  int adapters = 0;  // so many streams, each with its own, beside as many without
  int adapter_rank = 16;
  std::string adapter_folder = "bench-adapters";
  std::string kv_type;  // "" = the mode's own
  bool json = false;
};

struct Stream {
  std::vector<std::int32_t> tokens;
  std::vector<BlockId> blocks;
};

class ModelBench {
 public:
  ModelBench(engine::Runner& runner, const BenchModelArguments& arguments)
      : runner_(runner), arguments_(arguments) {}

  static int pages(int streams, int tokens) {
    return streams * base::ceil_div(tokens, kBlockTokens);
  }

  // Best tokens per second of a prompt of `tokens`; logits of the last one.
  absl::StatusOr<double> prefill(int tokens) {
    const auto streams = make_streams(1, tokens);
    double best = 0;
    for (int i = 0; i < arguments_.repeats; ++i) {
      ASSIGN_OR_RETURN(const double seconds, read(streams[0], tokens, 1, long_rope(tokens)));
      best = std::max(best, tokens / seconds);
    }
    return best;
  }

  // Best tokens per second of all streams together, over one run of `steps` steps each.
  // The first streams take an adapter each.
  absl::StatusOr<double> decode(int count, std::span<const engine::AdapterId> adapters = {}) {
    const int longest = arguments_.context + arguments_.steps;
    const auto streams = make_streams(count, longest);
    double best = 0;
    for (int i = 0; i < arguments_.repeats; ++i) {
      for (const auto& stream : streams) {
        RETURN_IF_ERROR(read(stream, arguments_.context, 0, long_rope(longest)).status());
      }
      double seconds = 0;
      for (int step = 0; step < arguments_.steps; ++step) {
        std::vector<BatchEntry> batch;
        batch.reserve(streams.size());
        const int at = arguments_.context + step;
        for (const auto& stream : streams) {
          batch.push_back({std::span(stream.tokens).subspan(static_cast<std::size_t>(at), 1), at,
                           stream.blocks, 1, long_rope(longest)});
        }
        for (std::size_t a = 0; a < adapters.size(); ++a) batch[a].adapter = adapters[a];
        ASSIGN_OR_RETURN(const double part, timed(batch));
        seconds += part;
      }
      best = std::max(best, count * arguments_.steps / seconds);
    }
    return best;
  }

 private:
  bool long_rope(int tokens) const { return tokens > runner_.info().short_rope_tokens_max; }

  std::vector<Stream> make_streams(int count, int tokens) const {
    std::vector<Stream> streams(static_cast<std::size_t>(count));
    int block = 0;
    for (auto& stream : streams) {
      for (int i = 0; i < tokens; ++i) {
        stream.tokens.push_back((i * 7919 + block * 31 + 1) % runner_.info().vocab_size);
      }
      for (int i = 0; i < pages(1, tokens); ++i) stream.blocks.emplace_back(block++);
    }
    return streams;
  }

  // Seconds of a prompt of `tokens`, in chunks as the engine's; logits of the last one, or none.
  absl::StatusOr<double> read(const Stream& stream, int tokens, int logits, bool long_rope) {
    const int chunk = engine::EngineOptions{}.step_tokens_max;
    double seconds = 0;
    for (int at = 0; at < tokens; at += chunk) {
      const int size = std::min(chunk, tokens - at);
      const auto part = std::span(stream.tokens)
                            .subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(size));
      const auto wanted = at + size == tokens ? logits : 0;
      const BatchEntry entry{part, at, stream.blocks, wanted, long_rope, true};
      ASSIGN_OR_RETURN(const double took, timed({&entry, 1}));
      seconds += took;
    }
    return seconds;
  }

  absl::StatusOr<double> timed(std::span<const BatchEntry> batch) {
    std::span<const float> logits;
    const auto start = clock_.now();
    RETURN_IF_ERROR(runner_.forward(batch, logits));
    return std::chrono::duration<double>(clock_.now() - start).count();
  }

  engine::Runner& runner_;
  const BenchModelArguments& arguments_;
  const base::RealClock clock_;
};

double resident_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

absl::Status check(const BenchModelArguments& arguments, const engine::RunnerInfo& info) {
  const auto longest =
      std::max({arguments.first_token, arguments.context + arguments.steps,
                *std::max_element(arguments.prefill.begin(), arguments.prefill.end())});
  if (longest > info.context_tokens_max) {
    return base::invalid_argument(fmt::format("{} tokens are more than the model's context of {}",
                                              longest, info.context_tokens_max));
  }
  return absl::OkStatus();
}

using Record = std::function<void(const std::string&, double, const char*)>;

// Streams with an adapter each beside as many without, and all of them without. A step reads the
// weights once, and each adapter.
absl::Status bench_adapters(const BenchModelArguments& arguments, const model::DecoderSpec& spec,
                            double weight_bytes, engine::Runner& runner, ModelBench& bench,
                            const Record& record) {
  ASSIGN_OR_RETURN(const auto written,
                   write_random_adapters(spec, arguments.adapters, arguments.adapter_rank,
                                         arguments.adapter_folder));
  std::vector<engine::AdapterId> ids;
  double adapter_bytes = 0;
  for (const auto& adapter : written) {
    ASSIGN_OR_RETURN(const auto loaded, runner.load_adapter(adapter));
    ids.push_back(loaded.id);
    adapter_bytes += static_cast<double>(loaded.bytes);
  }
  const int streams = 2 * arguments.adapters;
  ASSIGN_OR_RETURN(const double base_rate, bench.decode(streams));
  ASSIGN_OR_RETURN(const double rate, bench.decode(streams, ids));
  record(fmt::format("base_{}", streams), base_rate, "tokens/s");
  record(fmt::format("adapted_{}", streams), rate, "tokens/s");
  record("weights_mib", weight_bytes / (1 << 20), "MiB");
  record("adapters_mib", adapter_bytes / (1 << 20), "MiB");
  record("base_read", base_rate / streams * weight_bytes / 1e6, "MB/s");
  record("adapted_read", rate / streams * (weight_bytes + adapter_bytes) / 1e6, "MB/s");
  return absl::OkStatus();
}

absl::Status bench_model(const BenchModelArguments& arguments) {
  const base::RealClock clock;
  const auto start = clock.now();
  ASSIGN_OR_RETURN(auto file, model::open_model(arguments.model));
  const auto spec = file->spec;
  double weight_bytes = 0;
  for (const auto& mapping : file->mappings) weight_bytes += static_cast<double>(mapping.size());
  const int threads = arguments.threads > 0
                          ? arguments.threads
                          : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  engine::ModelRunnerOptions options{threads, tensor::best_isa()};
  if (arguments.exact) options.mode = tensor::LinearMode::exact;
  options.kv = tensor::kv_type_named(arguments.kv_type);
  if (!arguments.packed.empty()) {
    ASSIGN_OR_RETURN(auto packed, tensor::PackedFile::open(arguments.packed));
    options.packed = std::make_shared<tensor::PackedFile>(std::move(packed));
  }
  std::optional<tensor::TuningFile> tuning;
  if (!arguments.tuning.empty()) {
    ASSIGN_OR_RETURN(tuning, tensor::TuningFile::open(arguments.tuning));
  }
  tensor::Tuner tuner(tuning ? tuning->read() : tensor::BlockingTable{}, clock);
  if (arguments.autotune) options.tuner = &tuner;
  ASSIGN_OR_RETURN(const auto runner, engine::make_model_runner(std::move(file), options));
  if (tuning && tuner.measured() > 0) RETURN_IF_ERROR(tuning->write(tuner.table()));
  const double load_s = std::chrono::duration<double>(clock.now() - start).count();
  RETURN_IF_ERROR(check(arguments, runner->info()));
  int pages = 0;
  for (const int tokens : arguments.prefill) {
    pages = std::max(pages, ModelBench::pages(1, tokens));
  }
  pages = std::max(pages,
                   ModelBench::pages(2 * arguments.adapters, arguments.context + arguments.steps));
  for (const int streams : arguments.streams) {
    pages = std::max(pages, ModelBench::pages(streams, arguments.context + arguments.steps));
  }
  RETURN_IF_ERROR(
      runner->allocate_kv(std::max(pages, ModelBench::pages(1, arguments.first_token))));

  base::json::object results = {{"fingerprint", runner->info().fingerprint}, {"threads", threads}};
  const auto record = [&](const std::string& name, double value, const char* unit) {
    results[name] = value;
    if (!arguments.json) fmt::print("{:<16} {:>10.1f} {}\n", name, value, unit);
  };
  if (!arguments.json) fmt::print("{}, {} threads\n", runner->info().fingerprint, threads);
  record("load_ms", load_s * 1000, "ms");
  ModelBench bench(*runner, arguments);
  for (const int tokens : arguments.prefill) {
    ASSIGN_OR_RETURN(const double rate, bench.prefill(tokens));
    record(fmt::format("prefill_{}", tokens), rate, "tokens/s");
  }
  for (const int streams : arguments.streams) {
    ASSIGN_OR_RETURN(const double rate, bench.decode(streams));
    record(fmt::format("decode_{}", streams), rate, "tokens/s");
  }
  if (arguments.adapters > 0) {
    RETURN_IF_ERROR(bench_adapters(arguments, spec, weight_bytes, *runner, bench, record));
  }
  ASSIGN_OR_RETURN(const double first, bench.prefill(arguments.first_token));
  record("first_token_ms", arguments.first_token / first * 1000, "ms");
  record("resident_mib", resident_mib(), "MiB");
  if (arguments.json) fmt::print("{}\n", base::to_json(results));
  return absl::OkStatus();
}

}  // namespace

void add_bench_model_command(Command& bench, int& exit_code) {
  auto* command = bench.add_subcommand("model", "Prefill and decode of one model file");
  const auto arguments =
      std::make_shared<BenchModelArguments>();  // shared by the callback that is kept
  command->add_option("model", arguments->model, "Model file")->required();
  command->add_option("--threads", arguments->threads, "Compute threads (0 = all)")->range(0, 1024);
  command->add_option("--prefill", arguments->prefill, "Prompt lengths in tokens")
      ->range(1, 1 << 20)
      ->expected(1, 16);
  command->add_option("--streams", arguments->streams, "Streams that decode together")
      ->range(1, 1024)
      ->expected(1, 16);
  command->add_option("--context", arguments->context, "Tokens before the first decoded one")
      ->range(1, 1 << 20);
  command->add_option("--steps", arguments->steps, "Decode steps")->range(1, 1 << 20);
  command->add_option("--first-token", arguments->first_token, "Prompt for the first token's time")
      ->range(1, 1 << 20);
  command->add_option("--repeats", arguments->repeats, "Runs; the best counts")->range(1, 1000);
  command->add_flag("--exact", arguments->exact, "The fp32 reference path");
  command->add_option("--packed", arguments->packed,
                      "File that keeps the packed weights; the second run loads from it");
  command->add_option("--tuning", arguments->tuning,
                      "File that keeps the choices of blocking; the second run measures none");
  command->add_flag("--autotune,!--no-autotune", arguments->autotune,
                    "Choose the blocking by measuring");
  command
      ->add_option("--adapters", arguments->adapters,
                   "So many streams with a random adapter each, beside as many without")
      ->range(0, 256);
  command->add_option("--adapter-rank", arguments->adapter_rank, "Their rank")->range(1, 1024);
  command->add_option("--adapter-folder", arguments->adapter_folder, "Where they are written");
  command->add_option("--kv-type", arguments->kv_type, "How keys and values are kept")
      ->one_of({"f32", "f16", "bf16", "q8"});
  command->add_flag("--json", arguments->json, "One JSON document on stdout");
  command->callback([arguments, &exit_code] {
    const auto status = bench_model(*arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
