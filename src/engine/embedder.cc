#include "engine/embedder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/check.h"
#include "engine/request/device_time.h"
#include "protocol/limits.h"

namespace plinth::engine {

namespace {

using protocol::EmbedResult;
using protocol::TextPrompt;
using protocol::TokenPrompt;

// Text that is tokenized between two steps: some ten milliseconds.
constexpr std::size_t kTokenizeBytesPerStep = 256u << 10;

absl::Status parameter_error(std::string_view text, const char* param, const char* code) {
  absl::Status status = base::invalid_argument(text);
  status.SetPayload(protocol::kParamPayload, absl::Cord(param));
  if (code != nullptr) status.SetPayload(protocol::kCodePayload, absl::Cord(code));
  return status;
}

std::size_t bytes_of(const protocol::EmbedRequest& request) {
  std::size_t bytes = 0;
  for (const auto& input : request.inputs) {
    if (const auto* text = std::get_if<TextPrompt>(&input)) bytes += text->text.size();
    if (const auto* tokens = std::get_if<TokenPrompt>(&input)) bytes += tokens->tokens.size() * 4;
  }
  return bytes;
}

struct Request {
  protocol::EmbedRequest spec;
  EmbedSink sink;
  std::size_t bytes = 0;
  std::vector<std::vector<std::int32_t>> inputs;  // tokens of spec.inputs, from its start
  std::size_t computed = 0;                       // inputs whose vectors are there
  std::int64_t tokens = 0;
  base::Duration device_time{0};
  std::int32_t dimensions = 0;
  std::vector<float> vectors;  // [computed, dimensions]
  bool finished = false;

  bool tokenized() const { return inputs.size() == spec.inputs.size(); }
};

class EmbedderLoop final : public Embedder {
 public:
  EmbedderLoop(const EmbedderOptions& options, std::unique_ptr<EmbeddingRunner> runner,
               std::unique_ptr<model::Tokenizer> tokenizer, const base::Clock& clock)
      : options_(options),
        runner_(std::move(runner)),
        tokenizer_(std::move(tokenizer)),
        clock_(clock),
        context_(options.context_tokens > 0
                     ? std::min(options.context_tokens, runner_->context_tokens_max())
                     : runner_->context_tokens_max()),
        device_time_(clock.now()),
        published_(clock.now()),
        thread_([this] { loop(); }) {}

  ~EmbedderLoop() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  absl::Status submit(protocol::EmbedRequest spec, EmbedSink sink) override {
    auto request = std::make_unique<Request>();
    request->bytes = bytes_of(spec);
    request->spec = std::move(spec);
    request->sink = std::move(sink);
    {
      std::lock_guard lock(mutex_);
      if (draining_ || stopping_) return base::unavailable("the model is shutting down");
      if (held_ >= options_.queue_max || held_bytes_ + request->bytes > options_.queue_bytes_max) {
        return base::resource_exhausted("the queue is full; retry later");
      }
      ++held_;
      held_bytes_ += request->bytes;
      inbox_.push_back(std::move(request));
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

  EmbedderStats stats() const override {
    std::lock_guard lock(mutex_);
    auto stats = stats_;
    if (resting_) stats.idle_ns += (clock_.now() - published_).count();
    return stats;
  }

  void drain(base::Duration grace) override {
    std::unique_lock lock(mutex_);
    draining_ = true;
    idle_.wait_for(lock, grace, [&] { return held_ == 0; });
  }

  std::int32_t context_tokens() const override { return context_; }
  std::int32_t dimensions() const override { return runner_->dimensions(); }

 private:
  void loop() {
    while (true) {
      std::deque<std::unique_ptr<Request>> fresh;
      std::set<std::string> cancelled;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] {
          return stopping_ || !inbox_.empty() || !cancelled_.empty() || !requests_.empty();
        });
        if (stopping_) break;
        // What stats() said is not taken back.
        if (std::exchange(resting_, false)) stats_.idle_ns += (clock_.now() - published_).count();
        fresh.swap(inbox_);
        cancelled.swap(cancelled_);
      }
      device_time_.begin_step(clock_.now());
      for (auto& request : fresh) admit(std::move(request));
      for (auto& request : requests_) {
        if (cancelled.contains(request->spec.request_id)) {
          finish(*request, absl::CancelledError("cancelled"));
        }
      }
      tokenize();
      step();
      forget_finished();
    }
    for (auto& request : inbox_) requests_.push_back(std::move(request));
    for (auto& request : requests_)
      finish(*request, base::unavailable("the model is shutting down"));
  }

  void admit(std::unique_ptr<Request> owned) {
    Request& request = *owned;
    requests_.push_back(std::move(owned));
    const auto most = runner_->dimensions();
    request.dimensions = request.spec.dimensions == 0 ? most : request.spec.dimensions;
    if (request.dimensions < 1 || request.dimensions > most) {
      return finish(
          request, parameter_error(fmt::format("dimensions is {}, and this model's vectors have {}",
                                               request.spec.dimensions, most),
                                   "dimensions", nullptr));
    }
    if (request.spec.inputs.empty()) {
      finish(request, parameter_error("the input is empty", "input", nullptr));
    }
  }

  // A share of the texts that wait, oldest request first; one text at least.
  void tokenize() {
    std::size_t bytes = 0;
    for (auto& request : requests_) {
      while (!request->finished && !request->tokenized() && bytes < kTokenizeBytesPerStep) {
        const auto& input = request->spec.inputs[request->inputs.size()];
        std::vector<std::int32_t> tokens;
        if (const auto* text = std::get_if<TextPrompt>(&input)) {
          bytes += text->text.size() + 1;
          auto encoded = tokenizer_->encode(text->text, {true, false});
          if (!encoded.ok()) {
            finish(*request, encoded.status());
            break;
          }
          tokens = *std::move(encoded);
        } else {
          tokens = std::get<TokenPrompt>(input).tokens;
          bytes += tokens.size() + 1;
        }
        const auto status = check(*request, tokens);
        if (!status.ok()) {
          finish(*request, status);
          break;
        }
        request->tokens += static_cast<std::int64_t>(tokens.size());
        request->inputs.push_back(std::move(tokens));
      }
    }
  }

  absl::Status check(const Request& request, const std::vector<std::int32_t>& tokens) const {
    const auto index = request.inputs.size();
    const std::string name =
        request.spec.inputs.size() == 1 ? "the input" : fmt::format("input {}", index);
    if (tokens.empty()) return parameter_error(name + " is empty", "input", nullptr);
    if (tokens.size() > static_cast<std::size_t>(context_)) {
      return parameter_error(
          fmt::format("This model's maximum context length is {} tokens. However, {} resulted in "
                      "{} tokens. Please reduce the length of the input.",
                      context_, name, tokens.size()),
          "input", "context_length_exceeded");
    }
    for (const auto token : tokens) {
      if (token < 0 || token >= runner_->vocab_size()) {
        return parameter_error(fmt::format("{}: token {} is outside the vocabulary of {}", name,
                                           token, runner_->vocab_size()),
                               "input", nullptr);
      }
    }
    if (request.tokens + static_cast<std::int64_t>(tokens.size()) > protocol::kEmbedTokensMax) {
      return parameter_error(
          fmt::format("the inputs have more than {} tokens in all", protocol::kEmbedTokensMax),
          "input", nullptr);
    }
    return absl::OkStatus();
  }

  // The next inputs of all requests in turn, within the budget, through the runner.
  void step() {
    std::vector<std::vector<std::int32_t>> batch;
    std::vector<Request*> owners;
    std::int64_t tokens = 0;
    std::vector<std::size_t> planned(requests_.size());
    for (bool room = true; room;) {
      room = false;
      for (std::size_t i = 0; i < requests_.size(); ++i) {
        Request& request = *requests_[(first_ + i) % requests_.size()];
        auto& ahead = planned[(first_ + i) % requests_.size()];
        const std::size_t next = request.computed + ahead;
        if (request.finished || !request.tokenized() || next == request.inputs.size()) continue;
        const auto size = static_cast<std::int64_t>(request.inputs[next].size());
        if (!batch.empty() && tokens + size > options_.step_tokens_max) continue;
        tokens += size;
        batch.push_back(request.inputs[next]);
        owners.push_back(&request);
        ++ahead;
        room = true;
      }
    }
    if (batch.empty()) return;
    // Whoever came first in this step comes last in the next.
    first_ = (first_ + 1) % requests_.size();
    publish(owners, tokens);
    std::vector<float> vectors;
    const auto status = runner_->embed(batch, vectors);
    TimeShares shares(device_time_.take_busy(clock_.now()), tokens);
    for (std::size_t i = 0; i < batch.size(); ++i)
      owners[i]->device_time += shares.take(static_cast<std::int64_t>(batch[i].size()));
    const auto width = static_cast<std::size_t>(runner_->dimensions());
    CHECK(!status.ok() || vectors.size() == batch.size() * width);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (owners[i]->finished) continue;
      if (status.ok())
        accept(*owners[i], {vectors.data() + i * width, width});
      else
        finish(*owners[i], status);
    }
  }

  // Shortened vectors are brought to length 1 again.
  void accept(Request& request, std::span<const float> vector) {
    const auto wanted = static_cast<std::size_t>(request.dimensions);
    float factor = 1.0f;
    if (wanted < vector.size()) {
      double squares = 0;
      for (std::size_t i = 0; i < wanted; ++i)
        squares += static_cast<double>(vector[i]) * vector[i];
      if (squares > 0) factor = static_cast<float>(1.0 / std::sqrt(squares));
    }
    for (std::size_t i = 0; i < wanted; ++i) request.vectors.push_back(vector[i] * factor);
    if (++request.computed < request.inputs.size()) return;
    EmbedResult result;
    result.dimensions = request.dimensions;
    result.vectors = std::move(request.vectors);
    result.usage.prompt_tokens = static_cast<std::int32_t>(request.tokens);
    result.usage.device_us = whole_microseconds(request.device_time);
    finish(request, std::move(result));
  }

  void finish(Request& request, absl::StatusOr<EmbedResult> result) {
    if (request.finished) return;
    request.finished = true;
    {
      // Before the sink hears: whoever then submits again finds the room.
      std::lock_guard lock(mutex_);
      --held_;
      held_bytes_ -= request.bytes;
    }
    request.sink(std::move(result));
  }

  void forget_finished() {
    std::erase_if(requests_, [](const auto& request) { return request->finished; });
    device_time_.end_step(!requests_.empty());
    std::lock_guard lock(mutex_);
    resting_ = requests_.empty();
    published_ = clock_.now();
    stats_.step_ns = device_time_.busy().count();
    stats_.idle_ns = device_time_.idle(published_).count();
    stats_.running = 0;
    stats_.waiting = held_;
    if (held_ == 0) idle_.notify_all();
  }

  void publish(const std::vector<Request*>& owners, std::int64_t tokens) {
    const std::set<const Request*> distinct(owners.begin(), owners.end());
    std::lock_guard lock(mutex_);
    ++stats_.steps;
    stats_.tokens += tokens;
    stats_.running = static_cast<std::int32_t>(distinct.size());
    stats_.waiting = held_ - stats_.running;
  }

  // Constant after construction.
  const EmbedderOptions options_;
  const std::unique_ptr<EmbeddingRunner> runner_;
  const std::unique_ptr<model::Tokenizer> tokenizer_;
  const base::Clock& clock_;
  const std::int32_t context_;

  // Of the loop thread.
  std::vector<std::unique_ptr<Request>> requests_;
  std::size_t first_ = 0;  // whose turn it is
  DeviceTime device_time_;

  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::unique_ptr<Request>> inbox_;  // protected by mutex_, as are the following
  std::set<std::string> cancelled_;
  EmbedderStats stats_;
  base::TimePoint published_;  // when the times among them were taken
  bool resting_ = true;        // no request since then
  std::int32_t held_ = 0;      // requests taken and not finished
  std::size_t held_bytes_ = 0;
  bool stopping_ = false, draining_ = false;

  std::thread thread_;  // last: it uses the fields above
};

}  // namespace

std::unique_ptr<Embedder> Embedder::create(const EmbedderOptions& options,
                                           std::unique_ptr<EmbeddingRunner> runner,
                                           std::unique_ptr<model::Tokenizer> tokenizer,
                                           const base::Clock& clock) {
  return std::make_unique<EmbedderLoop>(options, std::move(runner), std::move(tokenizer), clock);
}

}  // namespace plinth::engine
