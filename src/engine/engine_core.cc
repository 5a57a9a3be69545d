#include "engine/engine_core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "engine/limits.h"
#include "engine/request/admission.h"
#include "engine/request/device_time.h"
#include "engine/request/prompt_renderer.h"
#include "engine/request/request.h"
#include "engine/sample/logprobs.h"
#include "engine/sample/softmax.h"
#include "engine/sched/scheduler.h"
#include "engine/speculate/ngram_drafter.h"
#include "engine/speculate/speculator.h"

namespace plinth::engine {

namespace {

using protocol::FinishReason;

std::unique_ptr<Drafter> make_drafter(Speculation speculation) {
  return speculation == Speculation::ngram ? make_ngram_drafter() : nullptr;
}

class Core final : public EngineCore {
 public:
  Core(const EngineOptions& options, std::unique_ptr<Runner> runner,
       std::unique_ptr<model::Tokenizer> tokenizer,
       std::unique_ptr<model::ChatTemplate> chat_template, const base::Clock& clock,
       std::int32_t blocks, std::int32_t context)
      : options_(options),
        runner_(std::move(runner)),
        tokenizer_(std::move(tokenizer)),
        template_(std::move(chat_template)),
        clock_(clock),
        bounds_{context, runner_->info().vocab_size},
        renderer_(*tokenizer_, template_.get(), clock),
        adapters_(*runner_, options.adapter_bytes),
        scheduler_(blocks,
                   {options.step_tokens_max,
                    options.sequences_max,
                    {options.prefix_cache, options.seed_base, runner_->info().position_cost},
                    runner_->info().short_rope_tokens_max,
                    runner_->info().prompts_apart,
                    {options.prompt_token_cost, options.output_token_cost}}),
        speculator_(make_drafter(options.speculation)),
        device_time_(clock.now()) {
    stats_.blocks_total = blocks;
  }

  PreparedRequest prepare(protocol::GenerateRequest request) override {
    PreparedRequest prepared;
    prepared.spec = std::move(request);
    auto prompt = renderer_.tokens(prepared.spec.prompt);
    if (!prompt.ok()) {
      prepared.status = prompt.status();
      return prepared;
    }
    prepared.prompt = *std::move(prompt);
    const auto most = output_tokens_max(prepared.spec, prepared.prompt, bounds_);
    if (most.ok())
      prepared.output_tokens_max = *most;
    else
      prepared.status = most.status();
    if (prepared.status.ok() && !prepared.spec.adapter.id.empty()) {
      auto lease = adapters_.acquire(prepared.spec.adapter);
      if (lease.ok())
        prepared.adapter = *std::move(lease);
      else
        prepared.status = lease.status();
    }
    if (reads_cache(prepared)) {
      const auto pin = scheduler_.pin(prepared.spec.cache_salt, prepared.spec.adapter.id,
                                      prepared.prompt, clock_.now());
      prepared.pin = {pin.id, pin.pages * kBlockTokens, false};
    }
    return prepared;
  }

  void redeem(PreparedRequest& request) override {
    request.pin.redeemed = scheduler_.redeem(request.pin.id, clock_.now());
    if (!request.pin.redeemed) request.pin = {};
  }

  void release(PreparedRequest& request) override {
    scheduler_.unpin(std::exchange(request.pin, {}).id);
  }

  absl::Status add(PreparedRequest prepared, EventSink sink) override {
    if (!prepared.pin.redeemed) release(prepared);
    if (drain_) {
      release(prepared);
      return base::unavailable("the model is shutting down");
    }
    if (!queue_has_room(options_, scheduler_.waiting(), prepared.spec)) {
      release(prepared);
      return base::resource_exhausted("the queue is full; retry later");
    }
    const auto status = prepared.status;
    requests_.push_back(std::make_unique<Request>(std::move(prepared), std::move(sink)));
    Request& request = *requests_.back();
    if (!status.ok()) {
      finish(request, status);
      return absl::OkStatus();
    }
    // Each request without a seed gets one of its own.
    request.seed = request.spec.sampling.seed.value_or(options_.seed_base +
                                                       0x9E3779B97F4A7C15ull * ++unseeded_);
    schedule(request);
    return absl::OkStatus();
  }

  void cancel(const std::string& request_id) override {
    for (auto& request : requests_) {
      if (request->spec.request_id == request_id) {
        finish(*request, absl::CancelledError("cancelled"));
      }
    }
  }

  void drain(base::TimePoint deadline) override { drain_ = deadline; }

  void step() override {
    const auto begin = clock_.now();
    device_time_.begin_step(begin);
    if (drain_ && begin >= *drain_) {
      for (auto& request : requests_) {
        finish(*request, base::unavailable("the model is shutting down"));
      }
    }
    auto& chunks = scheduler_.plan();
    speculator_.draft(chunks, scheduler_);
    // Promise 4: a page that another tenant may get holds nothing of this one.
    if (const auto freed = scheduler_.take_freed(); !freed.empty()) runner_->clear_blocks(freed);
    if (!chunks.empty()) {
      run(chunks);
      share_time(chunks, device_time_.take_busy(clock_.now()));
    }
    deliver();
    device_time_.end_step(!requests_.empty());
  }

  bool idle() const override { return requests_.empty(); }

  EngineStats stats() const override {
    auto stats = stats_;
    stats.running = scheduler_.running();
    stats.waiting = scheduler_.waiting();
    stats.blocks_free = scheduler_.cache().free();
    stats.blocks_cached = scheduler_.cache().idle();
    stats.preemptions = scheduler_.preemptions();
    stats.cache_evictions = scheduler_.cache().evictions();
    stats.blocks_pinned = scheduler_.cache().pinned();
    stats.pins_broken = scheduler_.cache().pins_broken();
    stats.drafted_tokens = speculator_.drafted();
    stats.accepted_tokens = speculator_.accepted();
    stats.step_ns = device_time_.busy().count();
    stats.idle_ns = device_time_.idle(clock_.now()).count();
    return stats;
  }

  std::int32_t context_tokens() const override { return bounds_.context_tokens; }

 private:
  static Choice& choice_of(const ScheduledChunk& chunk) {
    return static_cast<Choice&>(*chunk.sequence);
  }

  // Whether its prompt, once held and committed, starts from what the prefix cache has.
  static bool reads_cache(const PreparedRequest& request) {
    const auto& spec = request.spec;
    return spec.held && request.status.ok() && !spec.ignore_prefix_cache && !spec.prompt_logprobs &&
           request.output_tokens_max > 0;
  }

  // Makes the choices and hands them to the scheduler.
  void schedule(Request& request) {
    for (std::int32_t i = 0; i < request.spec.n; ++i) {
      auto& choice =
          *request.choices.emplace_back(std::make_unique<Choice>(request, i, *tokenizer_));
      const auto weight = options_.tenant_weights.find(request.spec.tenant);
      if (weight != options_.tenant_weights.end()) choice.owner.weight = weight->second;
      if (request.spec.prompt_logprobs) choice.chunk_tokens_max = kPromptRowsMax;
      if (request.spec.sampling.repetition_penalty != 1.0) {
        for (const auto token : request.prompt) ++choice.counts.prompt[token];
      }
    }
    if (request.output_tokens_max == 0 && !request.spec.prompt_logprobs) {
      admit(request, 0);
      return end_all(request);
    }
    Choice& leader = *request.choices[0];
    leader.pin = request.pin.id;
    scheduler_.add(leader);
    for (std::size_t i = 1; i < request.choices.size(); ++i) {
      scheduler_.add(*request.choices[i], &leader);
    }
  }

  // The request's first chunk is in a step: what it costs is known.
  void admit(Request& request, std::int32_t cached) {
    request.admitted = true;
    // What was reserved for it holds: pages lost since it was committed are computed again for
    // nothing, as after a preemption.
    cached = std::max(cached, request.pin.tokens);
    request.usage.prompt_tokens = static_cast<std::int32_t>(request.prompt.size());
    request.usage.cached_tokens = cached;
    ++stats_.requests;
    stats_.prompt_tokens += request.usage.prompt_tokens;
    stats_.cached_tokens += cached;
    request.events.push_back(
        protocol::Admitted{request.usage.prompt_tokens, cached, fingerprint(request)});
    if (!request.spec.echo) return;
    for (auto& choice : request.choices) choice->output.echo(request.prompt, request.events);
  }

  std::string fingerprint(const Request& request) const {
    constexpr std::size_t kDigits = 12;  // enough to tell adapters of one model apart
    const auto& id = request.spec.adapter.id;
    return runner_->info().fingerprint + (id.empty() ? "" : "_lora" + id.substr(0, kDigits));
  }

  void run(const std::vector<ScheduledChunk>& chunks) {
    batch_.clear();
    for (const auto& chunk : chunks) {
      const Choice& choice = choice_of(chunk);
      if (chunk.first && !choice.request.admitted) admit(choice.request, choice.cached);
      const bool last = chunk.tokens == choice.missing();
      BatchEntry entry;
      entry.tokens = std::span(choice.tokens)
                         .subspan(static_cast<std::size_t>(choice.computed),
                                  static_cast<std::size_t>(chunk.tokens));
      entry.position = choice.computed;
      entry.blocks = choice.blocks;
      entry.long_rope = choice.scope.long_rope;
      entry.prompt = chunk.prompt;
      if (choice.request.adapter != nullptr) entry.adapter = choice.request.adapter->id();
      entry.logits = choice.request.wants_prompt_rows() ? chunk.tokens : (last ? 1 : 0);
      if (chunk.drafts > 0) {
        entry.tokens = choice.to_compute;
        entry.drafts = chunk.drafts;
        entry.logits = 1 + chunk.drafts;
      }
      stats_.batch_tokens += chunk.tokens + chunk.drafts;
      batch_.push_back(entry);
    }
    const auto begin = clock_.now();
    std::span<const float> logits;
    auto status = runner_->forward(batch_, logits);
    ++stats_.steps;
    if (!status.ok()) {
      ++stats_.step_failures;
      for (const auto& chunk : chunks) finish(choice_of(chunk).request, status);
      return;
    }
    const auto vocab = static_cast<std::size_t>(bounds_.vocab_size);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      const auto rows = logits.first(static_cast<std::size_t>(batch_[i].logits) * vocab);
      logits = logits.subspan(rows.size());
      advance(chunks[i], batch_[i].position, rows);
    }
    speculator_.observe(chunks, clock_.now() - begin);
  }

  // A decode weighs what a sampled token costs, every other token, computed again or guessed too,
  // what one of a prompt does: they come many at a time.
  std::int64_t time_weight(const ScheduledChunk& chunk, const BatchEntry& entry) const {
    const bool decode = chunk.tokens == 1 && !chunk.prompt;
    return std::int64_t{decode ? options_.output_token_cost : 0} +
           std::int64_t{options_.prompt_token_cost} *
               (static_cast<std::int64_t>(entry.tokens.size()) - (decode ? 1 : 0));
  }

  void share_time(const std::vector<ScheduledChunk>& chunks, base::Duration time) {
    std::int64_t weight = 0;
    for (std::size_t i = 0; i < chunks.size(); ++i) weight += time_weight(chunks[i], batch_[i]);
    TimeShares shares(time, weight);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      choice_of(chunks[i]).request.device_time += shares.take(time_weight(chunks[i], batch_[i]));
    }
  }

  // rows: [wanted logits, vocab], the last ones of the chunk, which begins at `position`, and then
  // those of its drafts.
  void advance(const ScheduledChunk& chunk, std::int32_t position, std::span<const float> rows) {
    Choice& choice = choice_of(chunk);
    Request& request = choice.request;
    // Ended by another chunk of this step.
    if (request.finished) return;
    const auto vocab = static_cast<std::size_t>(bounds_.vocab_size);
    const auto own = rows.first(rows.size() - static_cast<std::size_t>(chunk.drafts) * vocab);
    if (!check_finite(request, own)) return;
    scheduler_.commit(chunk);
    if (request.wants_prompt_rows()) send_prompt_logprobs(choice, position, own);
    if (choice.missing() > 0) return;
    if (request.output_tokens_max == 0) return end_all(request);
    accept_all(choice, chunk.drafts, rows.subspan(own.size() - vocab));
  }

  bool check_finite(Request& request, std::span<const float> rows) {
    if (all_finite(rows)) return true;
    finish(request, base::internal("the model computed a number that is not finite"));
    return false;
  }

  // rows: [1 + drafts, vocab], of the choice's last token and of the drafts after it. A row counts
  // only where every draft up to it was sampled too: then it is what the next step would give.
  void accept_all(Choice& choice, std::int32_t drafts, std::span<const float> rows) {
    const auto vocab = static_cast<std::size_t>(bounds_.vocab_size);
    for (std::int32_t place = 0;; ++place) {
      const auto row = rows.subspan(static_cast<std::size_t>(place) * vocab, vocab);
      if (place > 0) {
        if (!check_finite(choice.request, row)) return;
        scheduler_.keep_draft(choice);
      }
      const auto token = accept(choice, row);
      if (!speculator_.verify(choice, drafts, place, token) || choice.ended) break;
    }
    scheduler_.drop_drafts(choice);
  }

  // Row i predicts the token at position + i + 1. The choices share the prompt, and so its rows.
  void send_prompt_logprobs(Choice& choice, std::int32_t position, std::span<const float> rows) {
    Request& request = choice.request;
    const auto vocab = static_cast<std::size_t>(bounds_.vocab_size);
    std::vector<protocol::PositionLogprobs> positions;
    const auto add = [&](protocol::PositionLogprobs logprobs) {
      name_tokens(*tokenizer_, logprobs);
      positions.push_back(std::move(logprobs));
    };
    if (request.prompt_rows_sent == 0) {
      protocol::PositionLogprobs first;
      first.chosen.token = request.prompt[0];
      first.chosen.has_logprob = false;
      add(std::move(first));
    }
    const auto end = position + static_cast<std::int32_t>(rows.size() / vocab);
    // After a preemption the first rows may have been sent already.
    for (auto at = std::max(position, request.prompt_rows_sent);
         at < end && at + 1 < choice.prompt_tokens; ++at) {
      const auto row = rows.subspan(static_cast<std::size_t>(at - position) * vocab, vocab);
      add(position_logprobs(row, request.prompt[static_cast<std::size_t>(at) + 1],
                            request.spec.top_logprobs));
    }
    request.prompt_rows_sent = std::max(request.prompt_rows_sent, end);
    for (auto& each : request.choices) each->output.prompt_logprobs(positions, request.events);
    // What was sent need not be computed again.
    const bool done = !request.wants_prompt_rows();
    choice.chunk_tokens_max = done ? INT32_MAX : kPromptRowsMax;
    if (!request.spec.ignore_prefix_cache) {
      choice.cache_reads_max = done ? INT32_MAX : request.prompt_rows_sent;
    }
  }

  // logits: [vocab], of the choice's last token. Returns the next one.
  std::int32_t accept(Choice& choice, std::span<const float> logits) {
    Request& request = choice.request;
    const auto& spec = request.spec;
    const auto uniform =
        base::uniform_at(request.seed, static_cast<std::uint64_t>(choice.output_tokens()),
                         static_cast<std::uint64_t>(choice.index));
    const auto token = sampler_.sample(spec.sampling, logits, choice.counts, uniform);
    ++request.usage.completion_tokens;
    ++stats_.completion_tokens;
    if (!spec.ignore_eos && tokenizer_->is_end_of_generation(token)) {
      choice.output.count_end_token();
      end(choice, FinishReason::stop);
      return token;
    }
    choice.tokens.push_back(token);
    if (penalises_repetition(spec.sampling)) ++choice.counts.output[token];
    std::optional<protocol::PositionLogprobs> logprobs;
    if (spec.logprobs) {
      logprobs = position_logprobs(logits, token, spec.top_logprobs);
      name_tokens(*tokenizer_, *logprobs);
    }
    if (choice.output.push(token, std::move(logprobs), request.events)) {
      end(choice, FinishReason::stop);
    } else if (choice.output_tokens() >= request.output_tokens_max) {
      end(choice, FinishReason::length);
    }
    return token;
  }

  void end(Choice& choice, FinishReason reason) {
    Request& request = choice.request;
    choice.output.finish(reason, request.events);
    choice.ended = true;
    remove(choice);
    const bool all = std::all_of(request.choices.begin(), request.choices.end(),
                                 [](const auto& other) { return other->ended; });
    if (all) finish(request, absl::OkStatus());
  }

  // Nothing was asked for but the prompt.
  void end_all(Request& request) {
    for (auto& choice : request.choices) end(*choice, FinishReason::length);
  }

  void finish(Request& request, const absl::Status& status) {
    if (request.finished) return;
    request.finished = true;
    request.status = status;
    for (auto& choice : request.choices) remove(*choice);
  }

  void remove(Choice& choice) {
    scheduler_.remove(choice);
    speculator_.forget(choice);
  }

  void deliver() {
    for (auto& request : requests_) {
      if (!request->events.empty() || request->finished) deliver(*request);
    }
    std::erase_if(requests_, [](const auto& request) { return request->finished; });
  }

  void deliver(Request& request) {
    auto& events = request.events;
    request.usage.device_us = whole_microseconds(request.device_time);
    const auto last = std::find_if(events.rbegin(), events.rend(), [](const auto& event) {
      return std::holds_alternative<protocol::Delta>(event);
    });
    if (last != events.rend()) std::get<protocol::Delta>(*last).device_us = request.usage.device_us;
    if (request.finished) events.push_back(protocol::Finished{request.status, request.usage});
    request.sink(std::exchange(events, {}));
  }

  // Constant after construction.
  const EngineOptions options_;
  const std::unique_ptr<Runner> runner_;
  const std::unique_ptr<model::Tokenizer> tokenizer_;
  const std::unique_ptr<model::ChatTemplate> template_;
  const base::Clock& clock_;
  const ModelBounds bounds_;
  const PromptRenderer renderer_;
  AdapterPool adapters_;  // before the requests, which hold leases

  Scheduler scheduler_;
  Speculator speculator_;
  Sampler sampler_;
  std::vector<std::unique_ptr<Request>> requests_;  // in the order of add()
  std::vector<BatchEntry> batch_;                   // of one step
  std::uint64_t unseeded_ = 0;
  std::optional<base::TimePoint> drain_;
  DeviceTime device_time_;
  EngineStats stats_;
};

}  // namespace

std::int32_t queue_places(const protocol::GenerateRequest& request) {
  return std::clamp(request.n, 1, kChoicesMax);
}

bool queue_has_room(const EngineOptions& options, std::int32_t waiting,
                    const protocol::GenerateRequest& request) {
  return waiting == 0 || waiting + queue_places(request) <= options.queue_max;
}

absl::StatusOr<std::unique_ptr<EngineCore>> EngineCore::create(
    const EngineOptions& options, std::unique_ptr<Runner> runner,
    std::unique_ptr<model::Tokenizer> tokenizer, std::unique_ptr<model::ChatTemplate> chat_template,
    const base::Clock& clock) {
  if (options.step_tokens_max < 1 || options.sequences_max < 1) {
    return base::invalid_argument("[engine] a step needs at least one token and one sequence");
  }
  if (options.prompt_token_cost < 1 || options.output_token_cost < 1) {
    return base::invalid_argument("[engine] a token costs at least 1");
  }
  const auto& info = runner->info();
  const auto blocks = static_cast<std::int32_t>(
      std::min<std::size_t>(options.kv_bytes / std::max<std::size_t>(info.kv_block_bytes, 1),
                            static_cast<std::size_t>(kBlocksMax)));
  RETURN_IF_ERROR(runner->allocate_kv(blocks));
  std::int32_t context = std::min(info.context_tokens_max, blocks * kBlockTokens);
  if (options.context_tokens > 0) context = std::min(context, options.context_tokens);
  return std::unique_ptr<EngineCore>(new Core(options, std::move(runner), std::move(tokenizer),
                                              std::move(chat_template), clock, blocks, context));
}

}  // namespace plinth::engine
