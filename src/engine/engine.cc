#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "absl/strings/cord.h"
#include "base/random.h"
#include "engine/sched/scheduler.h"

namespace plinth::engine {

namespace {

using protocol::ChoiceEnd;
using protocol::Delta;
using protocol::Finished;
using protocol::FinishReason;

absl::Status parameter_error(std::string_view text, const char* param, const char* code) {
  absl::Status status = base::invalid_argument(text);
  status.SetPayload(protocol::kParamPayload, absl::Cord(param));
  if (code != nullptr) status.SetPayload(protocol::kCodePayload, absl::Cord(code));
  return status;
}

class EngineLoop final : public Engine {
 public:
  EngineLoop(const EngineOptions& options, std::unique_ptr<Runner> runner,
             std::unique_ptr<model::Tokenizer> tokenizer,
             std::unique_ptr<model::ChatTemplate> chat_template, const base::Clock& clock,
             std::int32_t blocks, std::int32_t context)
      : options_(options),
        runner_(std::move(runner)),
        tokenizer_(std::move(tokenizer)),
        template_(std::move(chat_template)),
        clock_(clock),
        context_(context),
        scheduler_(blocks, {options.step_tokens_max, options.sequences_max}) {
    thread_ = std::thread([this] { loop(); });
  }

  ~EngineLoop() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  absl::Status submit(protocol::GenerateRequest request, EventSink sink) override {
    auto fresh = std::make_unique<Request>();
    fresh->spec = std::move(request);
    fresh->sink = std::move(sink);
    {
      std::lock_guard lock(mutex_);
      if (stopping_ || draining_) return base::unavailable("the model is shutting down");
      if (static_cast<std::int32_t>(inbox_.size()) + stats_.waiting >= options_.queue_max) {
        return base::resource_exhausted("the queue is full; retry later");
      }
      inbox_.push_back(std::move(fresh));
    }
    wake_.notify_one();
    return absl::OkStatus();
  }

  void cancel(const std::string& request_id) override {
    {
      std::lock_guard lock(mutex_);
      cancelled_.insert(request_id);
    }
    wake_.notify_one();
  }

  EngineStats stats() const override {
    std::lock_guard lock(mutex_);
    return stats_;
  }

  void drain(base::Duration grace) override {
    std::unique_lock lock(mutex_);
    draining_ = true;
    idle_.wait_for(lock, grace, [&] { return inbox_.empty() && idle_now_; });
  }

  std::int32_t context_tokens() const override { return context_; }

 private:
  void loop() {
    while (true) {
      std::deque<std::unique_ptr<Request>> fresh;
      std::set<std::string> cancelled;
      {
        std::unique_lock lock(mutex_);
        publish_stats();
        if (idle_now_) idle_.notify_all();
        wake_.wait(lock, [&] {
          return stopping_ || !inbox_.empty() || !cancelled_.empty() || !requests_.empty();
        });
        if (stopping_) break;
        idle_now_ = false;
        fresh.swap(inbox_);
        cancelled.swap(cancelled_);
      }
      for (auto& request : fresh) admit(std::move(request));
      for (auto& request : requests_) {
        if (cancelled.contains(request->spec.request_id)) {
          finish(*request, absl::CancelledError("cancelled"));
        }
      }
      step();
      deliver();
    }
    for (auto& request : requests_) {
      if (!request->finished) finish(*request, base::unavailable("the model is shutting down"));
    }
    deliver();
  }

  // Called with mutex_ held.
  void publish_stats() {
    idle_now_ = requests_.empty();
    stats_.running = scheduler_.running();
    stats_.waiting = scheduler_.waiting();
    stats_.blocks_total = scheduler_.pool().total();
    stats_.blocks_free = scheduler_.pool().available();
    stats_.preemptions = scheduler_.preemptions();
    stats_.steps = steps_;
    stats_.prompt_tokens = prompt_tokens_;
    stats_.completion_tokens = completion_tokens_;
  }

  absl::StatusOr<std::vector<std::int32_t>> prompt_of(const protocol::GenerateRequest& spec) const {
    if (const auto* tokens = std::get_if<protocol::TokenPrompt>(&spec.prompt))
      return tokens->tokens;
    if (const auto* text = std::get_if<protocol::TextPrompt>(&spec.prompt)) {
      return tokenizer_->encode(text->text, {true, false});
    }
    if (template_ == nullptr) {
      return base::invalid_argument("this model has no chat template; use /v1/completions");
    }
    ASSIGN_OR_RETURN(const std::string text, render(std::get<protocol::ChatPrompt>(spec.prompt)));
    return tokenizer_->encode(text, {false, true});
  }

  absl::StatusOr<std::string> render(const protocol::ChatPrompt& chat) const {
    base::json::object variables;
    ASSIGN_OR_RETURN(variables["messages"], base::parse_json(chat.messages_json));
    if (!chat.tools_json.empty()) {
      ASSIGN_OR_RETURN(variables["tools"], base::parse_json(chat.tools_json));
    } else {
      variables["tools"] = nullptr;
    }
    if (!chat.template_kwargs_json.empty()) {
      ASSIGN_OR_RETURN(const auto extra, base::parse_json(chat.template_kwargs_json));
      if (extra.is_object()) {
        for (const auto& [key, value] : extra.get_object()) variables[key] = value;
      }
    }
    variables["add_generation_prompt"] = chat.add_generation_prompt;
    const auto& spec = tokenizer_->spec();
    const auto text = [&](const std::optional<model::TokenId>& id) {
      return id ? tokenizer_->token_bytes(*id, true) : std::string();
    };
    variables["bos_token"] = text(spec.bos);
    variables["eos_token"] = text(spec.eos);
    return template_->render(variables, clock_.unix_seconds());
  }

  absl::Status check(Request& request) const {
    const auto count = static_cast<std::int32_t>(request.prompt.size());
    if (count == 0) return parameter_error("the prompt is empty", "prompt", nullptr);
    for (const auto token : request.prompt) {
      if (token < 0 || token >= runner_->info().vocab_size) {
        return parameter_error(fmt::format("token {} is outside the vocabulary of {}", token,
                                           runner_->info().vocab_size),
                               "prompt", nullptr);
      }
    }
    const bool chat = std::holds_alternative<protocol::ChatPrompt>(request.spec.prompt);
    const std::int64_t wanted = request.spec.max_tokens.value_or(0);
    if (count + std::max<std::int64_t>(wanted, 1) > context_ &&
        !(wanted == 0 && request.spec.max_tokens && count <= context_)) {
      const char* what = chat ? "messages" : "prompt";
      const std::string text =
          request.spec.max_tokens
              ? fmt::format(
                    "This model's maximum context length is {} tokens. However, you requested "
                    "{} tokens ({} in the {}, {} in the completion). Please reduce the length "
                    "of the {} or completion.",
                    context_, count + wanted, count, what, wanted, what)
              : fmt::format(
                    "This model's maximum context length is {} tokens. However, your {} "
                    "resulted in {} tokens. Please reduce the length of the {}.",
                    context_, what, count, what);
      return parameter_error(text, what, "context_length_exceeded");
    }
    request.max_tokens = request.spec.max_tokens.value_or(context_ - count);
    return absl::OkStatus();
  }

  void admit(std::unique_ptr<Request> owned) {
    Request& request = *owned;
    requests_.push_back(std::move(owned));
    auto prompt = prompt_of(request.spec);
    if (!prompt.ok()) return finish(request, prompt.status());
    request.prompt = *std::move(prompt);
    if (const auto status = check(request); !status.ok()) return finish(request, status);
    request.seed = request.spec.sampling.seed.value_or(options_.seed_base +
                                                       0x9E3779B97F4A7C15ull * ++unseeded_);
    request.usage.prompt_tokens = static_cast<std::int32_t>(request.prompt.size());
    prompt_tokens_ += request.usage.prompt_tokens;
    request.events.push_back(
        protocol::Admitted{request.usage.prompt_tokens, 0, runner_->info().fingerprint});
    for (std::int32_t i = 0; i < request.spec.n; ++i) {
      auto sequence = std::make_unique<Sequence>(request, i, *tokenizer_, request.spec);
      sequence->tokens = request.prompt;
      if (request.spec.sampling.repetition_penalty != 1.0) {
        for (const auto token : request.prompt) ++sequence->counts.prompt[token];
      }
      request.sequences.push_back(std::move(sequence));
      auto& added = *request.sequences.back();
      if (request.spec.echo) echo(added);
      if (request.max_tokens == 0 && !request.spec.prompt_logprobs) {
        end(added, FinishReason::length, "");
      } else {
        scheduler_.add(added);
      }
    }
  }

  void echo(Sequence& sequence) {
    if (sequence.request.spec.prompt_logprobs) return;  // comes with its log-probabilities
    Delta delta;
    delta.index = sequence.index;
    delta.text = tokenizer_->decode(sequence.tokens, false);
    sequence.request.events.push_back(std::move(delta));
  }

  void step() {
    const auto chunks = scheduler_.plan();
    clear_freed();
    if (chunks.empty()) return;
    std::vector<BatchEntry> batch;
    for (const auto& [sequence, count] : chunks) {
      BatchEntry entry;
      entry.tokens = std::span<const std::int32_t>(sequence->tokens)
                         .subspan(static_cast<std::size_t>(sequence->computed),
                                  static_cast<std::size_t>(count));
      entry.position = sequence->computed;
      entry.blocks = sequence->blocks;
      const bool last =
          sequence->computed + count == static_cast<std::int32_t>(sequence->tokens.size());
      entry.logits = wants_prompt_logprobs(*sequence) ? count : (last ? 1 : 0);
      batch.push_back(entry);
    }
    std::span<const float> logits;
    const auto status = runner_->forward(batch, logits);
    ++steps_;
    if (!status.ok()) {
      for (const auto& chunk : chunks) finish(chunk.sequence->request, status);
      return;
    }
    const auto vocab = static_cast<std::size_t>(runner_->info().vocab_size);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      Sequence& sequence = *chunks[i].sequence;
      const auto rows = logits.first(static_cast<std::size_t>(batch[i].logits) * vocab);
      logits = logits.subspan(rows.size());
      const bool prompt_rows = wants_prompt_logprobs(sequence);
      sequence.computed += chunks[i].tokens;
      if (sequence.ended || sequence.request.finished) continue;
      if (prompt_rows) emit_prompt_logprobs(sequence, batch[i].position, rows);
      if (sequence.computed == static_cast<std::int32_t>(sequence.tokens.size())) {
        if (sequence.request.max_tokens == 0)
          end(sequence, FinishReason::length, "");
        else
          accept(sequence, rows.last(vocab));
      }
    }
  }

  // A preempted sequence has sent its prompt's log-probabilities already.
  static bool wants_prompt_logprobs(const Sequence& sequence) {
    return sequence.request.spec.prompt_logprobs &&
           sequence.tokens.size() == sequence.request.prompt.size();
  }

  void fill_bytes(protocol::PositionLogprobs& logprobs) const {
    logprobs.chosen.bytes = tokenizer_->token_bytes(logprobs.chosen.token, true);
    for (auto& entry : logprobs.top) entry.bytes = tokenizer_->token_bytes(entry.token, true);
  }

  // rows: [tokens, vocab] of the positions from `position` on; row i predicts position + i + 1.
  void emit_prompt_logprobs(Sequence& sequence, std::int32_t position,
                            std::span<const float> rows) {
    const auto vocab = static_cast<std::size_t>(runner_->info().vocab_size);
    Delta delta;
    delta.index = sequence.index;
    if (position == 0) {
      protocol::PositionLogprobs first;
      first.chosen.token = sequence.tokens[0];
      first.chosen.has_logprob = false;
      fill_bytes(first);
      delta.text += first.chosen.bytes;
      delta.logprobs.push_back(std::move(first));
    }
    for (std::size_t i = 0; i * vocab < rows.size(); ++i) {
      const auto next = static_cast<std::size_t>(position) + i + 1;
      if (next >= sequence.request.prompt.size()) break;
      auto logprobs = position_logprobs(rows.subspan(i * vocab, vocab), sequence.tokens[next],
                                        sequence.request.spec.top_logprobs);
      fill_bytes(logprobs);
      delta.text += logprobs.chosen.bytes;
      delta.logprobs.push_back(std::move(logprobs));
    }
    if (!sequence.request.spec.echo) delta.text.clear();
    sequence.request.events.push_back(std::move(delta));
  }

  void accept(Sequence& sequence, std::span<const float> logits) {
    Request& request = sequence.request;
    const auto position = static_cast<std::uint64_t>(request.output_tokens(sequence));
    const double uniform =
        base::uniform_at(request.seed, position, static_cast<std::uint64_t>(sequence.index));
    const auto token = sequence.sampler.sample(logits, sequence.counts, uniform);
    ++request.usage.completion_tokens;
    ++completion_tokens_;
    if (!request.spec.ignore_eos && tokenizer_->is_end_of_generation(token)) {
      return end(sequence, FinishReason::stop, "");
    }
    sequence.tokens.push_back(token);
    ++sequence.counts.output[token];
    if (request.spec.logprobs) {
      auto logprobs = position_logprobs(logits, token, request.spec.top_logprobs);
      fill_bytes(logprobs);
      sequence.held_logprobs.push_back(std::move(logprobs));
    }
    ++sequence.held_tokens;
    auto step = sequence.stops.push(sequence.text.push(token));
    if (!step.matched.empty()) {
      emit(sequence, std::move(step.text));
      return end(sequence, FinishReason::stop, std::move(step.matched));
    }
    emit(sequence, std::move(step.text));
    const auto total = static_cast<std::int32_t>(sequence.tokens.size());
    if (request.output_tokens(sequence) >= request.max_tokens || total >= context_) {
      end(sequence, FinishReason::length, "");
    }
  }

  void emit(Sequence& sequence, std::string text) {
    if (text.empty() && sequence.held_logprobs.empty()) return;
    Delta delta;
    delta.index = sequence.index;
    delta.text = std::move(text);
    delta.logprobs = std::exchange(sequence.held_logprobs, {});
    delta.tokens = std::exchange(sequence.held_tokens, 0);
    sequence.request.events.push_back(std::move(delta));
  }

  void end(Sequence& sequence, FinishReason reason, std::string matched) {
    if (matched.empty()) {
      auto step = sequence.stops.push(sequence.text.finish());
      emit(sequence, step.text + sequence.stops.finish());
    }
    sequence.ended = true;
    scheduler_.remove(sequence);
    Request& request = sequence.request;
    request.events.push_back(ChoiceEnd{sequence.index, reason, std::move(matched)});
    const bool all = static_cast<std::int32_t>(request.sequences.size()) == request.spec.n &&
                     std::all_of(request.sequences.begin(), request.sequences.end(),
                                 [](const auto& other) { return other->ended; });
    if (all) finish(request, absl::OkStatus());
  }

  void finish(Request& request, const absl::Status& status) {
    if (request.finished) return;
    request.finished = true;
    for (auto& sequence : request.sequences) scheduler_.remove(*sequence);
    request.events.push_back(Finished{status, request.usage});
  }

  // Promise 4: a page that another tenant may get holds nothing of this one.
  void clear_freed() {
    const auto freed = scheduler_.take_freed();
    if (!freed.empty()) runner_->clear_blocks(freed);
  }

  void deliver() {
    for (auto& request : requests_) {
      if (!request->events.empty()) request->sink(std::exchange(request->events, {}));
    }
    std::erase_if(requests_, [](const auto& request) { return request->finished; });
  }

  // Constant after construction.
  const EngineOptions options_;
  const std::unique_ptr<Runner> runner_;
  const std::unique_ptr<model::Tokenizer> tokenizer_;
  const std::unique_ptr<model::ChatTemplate> template_;
  const base::Clock& clock_;
  const std::int32_t context_;

  // Of the loop thread.
  Scheduler scheduler_;
  std::vector<std::unique_ptr<Request>> requests_;
  std::uint64_t unseeded_ = 0;
  std::int64_t steps_ = 0, prompt_tokens_ = 0, completion_tokens_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::unique_ptr<Request>> inbox_;  // protected by mutex_, as are the following
  std::set<std::string> cancelled_;
  EngineStats stats_;
  bool stopping_ = false, draining_ = false, idle_now_ = true;

  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::create(
    const EngineOptions& options, std::unique_ptr<Runner> runner,
    std::unique_ptr<model::Tokenizer> tokenizer, std::unique_ptr<model::ChatTemplate> chat_template,
    const base::Clock& clock, base::Metrics&) {
  const auto& info = runner->info();
  const auto blocks = static_cast<std::int32_t>(std::min<std::size_t>(
      options.kv_bytes / std::max<std::size_t>(info.kv_block_bytes, 1), 1 << 24));
  RETURN_IF_ERROR(runner->allocate_kv(blocks));
  // One page stays free for the token that a full context would still write.
  std::int32_t context = std::min(info.context_tokens_max, blocks * kBlockTokens);
  if (options.context_tokens > 0) context = std::min(context, options.context_tokens);
  return std::unique_ptr<Engine>(new EngineLoop(options, std::move(runner), std::move(tokenizer),
                                                std::move(chat_template), clock, blocks, context));
}

}  // namespace plinth::engine
