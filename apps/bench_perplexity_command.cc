// How well a model predicts a text, and what the fast path's 8-bit arithmetic changes about it.
//
// As llama.cpp measures: the text is cut into windows of `context` tokens, each begins with the
// model's first token where it has one, and the second half of each is scored.
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "apps/bench_command.h"
#include "apps/command_line.h"
#include "apps/logit_scores.h"
#include "apps/terminal.h"
#include "base/file.h"
#include "base/json.h"
#include "base/units.h"
#include "engine/model_runner.h"
#include "model/model_file.h"
#include "model/tokenizer.h"

namespace plinth {

namespace {

using Tokens = std::vector<std::int32_t>;

constexpr std::size_t kTextBytesMax = 64u << 20;

struct PerplexityArguments {
  std::string model;
  std::string text;  // "" = tokens of no meaning, for models of random weights
  std::string save;  // "" or a prefix
  int tokens = 32768;
  int context = 512;
  int threads = 0;
  bool against_exact = false;
  bool exact = false;
  bool json = false;
};

absl::StatusOr<std::unique_ptr<engine::Runner>> make_runner(const PerplexityArguments& arguments,
                                                            tensor::LinearMode mode) {
  ASSIGN_OR_RETURN(auto file, model::open_model(arguments.model));
  engine::ModelRunnerOptions options;
  options.threads = arguments.threads > 0
                        ? arguments.threads
                        : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  options.isa = tensor::best_isa();
  options.mode = mode;
  ASSIGN_OR_RETURN(auto runner, engine::make_model_runner(std::move(file), options));
  if (arguments.context > runner->info().context_tokens_max) {
    return base::invalid_argument(fmt::format("--context {}: the model's is {}", arguments.context,
                                              runner->info().context_tokens_max));
  }
  RETURN_IF_ERROR(runner->allocate_kv(base::ceil_div(arguments.context, engine::kBlockTokens)));
  return runner;
}

// Whole windows of the text's tokens.
absl::StatusOr<Tokens> tokens_of(const PerplexityArguments& arguments) {
  ASSIGN_OR_RETURN(const auto file, model::open_model(arguments.model));
  Tokens tokens;
  std::int32_t first = -1;
  if (arguments.text.empty()) {
    for (int i = 0; i < arguments.tokens; ++i) {
      tokens.push_back(static_cast<std::int32_t>((std::int64_t{i} * 7919 + 1) % file->spec.vocab));
    }
  } else {
    ASSIGN_OR_RETURN(const auto text, base::read_file(arguments.text, kTextBytesMax));
    ASSIGN_OR_RETURN(const auto tokenizer, model::make_tokenizer(file->tokenizer));
    ASSIGN_OR_RETURN(tokens, tokenizer->encode(text, {.add_special = true}));
    if (tokenizer->spec().add_bos && !tokens.empty()) first = tokens[0];
  }
  const auto length = static_cast<std::size_t>(arguments.context);
  const auto wanted = std::min(tokens.size(), static_cast<std::size_t>(arguments.tokens));
  tokens.resize(wanted / length * length);
  if (tokens.empty()) {
    return base::invalid_argument(fmt::format("{} tokens are no window of {}", wanted, length));
  }
  for (std::size_t i = 0; first >= 0 && i < tokens.size(); i += length) tokens[i] = first;
  return tokens;
}

absl::StatusOr<std::span<const float>> logits_of(engine::Runner& runner,
                                                 std::span<const std::int32_t> window) {
  std::vector<engine::BlockId> blocks;
  const auto size = static_cast<int>(window.size());
  const int pages = base::ceil_div(size, engine::kBlockTokens);
  blocks.reserve(static_cast<std::size_t>(pages));
  for (int i = 0; i < pages; ++i) blocks.emplace_back(i);
  engine::BatchEntry entry{window, 0, blocks, size - size / 2};
  entry.prompt = true;
  entry.long_rope = size > runner.info().short_rope_tokens_max;
  std::span<const float> logits;
  RETURN_IF_ERROR(runner.forward({&entry, 1}, logits));
  return logits;
}

absl::Status append(const std::string& path, std::span<const float> values) {
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size_bytes()));
  file.close();
  return file ? absl::OkStatus() : base::unavailable(path + " cannot be written");
}

// PREFIX.tokens (int32) and PREFIX.logits (fp32, the scored rows), for other programs.
absl::Status save_tokens(const std::string& prefix, const Tokens& tokens) {
  RETURN_IF_ERROR(base::write_file_atomic(prefix + ".logits", ""));
  return base::write_file_atomic(prefix + ".tokens", {reinterpret_cast<const char*>(tokens.data()),
                                                      tokens.size() * sizeof tokens[0]});
}

absl::Status bench_perplexity(const PerplexityArguments& arguments) {
  using tensor::LinearMode;
  ASSIGN_OR_RETURN(const auto tokens, tokens_of(arguments));
  ASSIGN_OR_RETURN(const auto runner,
                   make_runner(arguments, arguments.exact ? LinearMode::exact : LinearMode::fast));
  std::unique_ptr<engine::Runner> exact;
  if (arguments.against_exact) {
    ASSIGN_OR_RETURN(exact, make_runner(arguments, LinearMode::exact));
  }
  if (!arguments.save.empty()) RETURN_IF_ERROR(save_tokens(arguments.save, tokens));
  const auto vocab = static_cast<std::size_t>(runner->info().vocab_size);
  const auto length = static_cast<std::size_t>(arguments.context);
  LikelihoodSum likelihood, exact_likelihood;
  DivergenceSum divergence;
  for (std::size_t at = 0; at < tokens.size(); at += length) {
    const auto window = std::span(tokens).subspan(at, length);
    ASSIGN_OR_RETURN(const auto logits, logits_of(*runner, window));
    std::span<const float> reference;
    if (exact != nullptr) {
      ASSIGN_OR_RETURN(reference, logits_of(*exact, window));
    }
    // The row of token i predicts token i + 1.
    for (std::size_t i = length / 2; i + 1 < length; ++i) {
      const auto row = (i - length / 2) * vocab;
      likelihood.add(logits.subspan(row, vocab), window[i + 1]);
      if (exact == nullptr) continue;
      exact_likelihood.add(reference.subspan(row, vocab), window[i + 1]);
      divergence.add(reference.subspan(row, vocab), logits.subspan(row, vocab));
    }
    if (!arguments.save.empty()) RETURN_IF_ERROR(append(arguments.save + ".logits", logits));
    if (!arguments.json) {
      fmt::print(stderr, "\r{} of {} tokens, perplexity {:.3f} ", at + length, tokens.size(),
                 likelihood.perplexity());
    }
  }
  base::json::object results = {{"fingerprint", runner->info().fingerprint},
                                {"tokens", tokens.size()},
                                {"scored", likelihood.count()},
                                {"perplexity", likelihood.perplexity()},
                                {"perplexity_error", likelihood.perplexity_error()}};
  if (exact != nullptr) {
    results["perplexity_exact"] = exact_likelihood.perplexity();
    results["divergence"] = divergence.mean();
    results["same_top"] = divergence.same_top();
  }
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(results));
    return absl::OkStatus();
  }
  fmt::print(stderr, "\n");
  for (const auto& result : results) {
    fmt::print("{:<18} {}\n", std::string_view(result.key()), base::to_json(result.value()));
  }
  return absl::OkStatus();
}

}  // namespace

void add_bench_perplexity_command(Command& bench, int& exit_code) {
  auto* command = bench.add_subcommand("perplexity", "How well a model predicts a text");
  const auto arguments =
      std::make_shared<PerplexityArguments>();  // shared by the callback that is kept
  command->add_option("model", arguments->model, "Model file")->required();
  command->add_option("--text", arguments->text, "Text file (none: tokens without meaning)");
  command->add_option("--tokens", arguments->tokens, "Tokens of the text, at most")
      ->range(16, 1 << 24);
  command->add_option("--context", arguments->context, "Tokens of a window")->range(16, 1 << 20);
  command->add_option("--threads", arguments->threads, "Compute threads (0 = all)")->range(0, 1024);
  command->add_flag("--exact", arguments->exact, "The fp32 reference path");
  command->add_flag("--against-exact", arguments->against_exact,
                    "Divergence from the fp32 path too, in nats");
  command->add_option("--save", arguments->save, "Write PREFIX.tokens and PREFIX.logits");
  command->add_flag("--json", arguments->json, "One JSON document on stdout");
  command->callback([arguments, &exit_code] {
    const auto status = bench_perplexity(*arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
