#include "cluster/fake_replica.h"

#include <functional>
#include <utility>

namespace plinth::cluster {

using protocol::GenerateEvent;

struct FakeModelService::State {
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<FakeReplica> scripts;  // protected by mutex, as are the following
  std::vector<protocol::GenerateRequest> requests;
  std::vector<protocol::EmbedRequest> embed_requests;
  int cancelled = 0;
  bool ready = true;
};

// One call: a thread of its own delivers what the script says, as the real service's do.
class FakeModelService::Line final : public Call {
 public:
  // What is prepared, in order, as far as there is anything left to lose; each waits for a commit.
  using Preparing = std::function<void(std::int32_t pinned_tokens)>;

  // `deliver` runs on the line's thread and gets a function that tells whether to stop.
  // `prepare`, where there is one, comes first, and then a commit.
  Line(State& state, const FakeReplica& script, Preparing prepare,
       std::vector<std::function<void()>> deliveries)
      : state_(state),
        thread_([this, hangs = script.hangs, pinned = script.pinned, left = script.pinned_left,
                 prepare = std::move(prepare), deliveries = std::move(deliveries)] {
          if (prepare) {
            prepare(pinned);
            if (wait_for_commit() > left.value_or(pinned)) {
              prepare(*left);
              wait_for_commit();
            }
          }
          for (const auto& deliver : deliveries) {
            if (stopped()) break;
            deliver();
          }
          if (!hangs && !stopped()) return;
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [&] { return stopped_; });
          const std::lock_guard state_lock(state_.mutex);
          ++state_.cancelled;
          state_.changed.notify_all();
        }) {}

  ~Line() override {
    cancel();
    thread_.join();
  }

  void cancel() override {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  void commit(std::int32_t pinned_tokens) override {
    const std::lock_guard lock(mutex_);
    committed_ = pinned_tokens;
    changed_.notify_all();
  }

 private:
  bool stopped() {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

  // Returns the tokens that the commit takes as pinned; 0 where the call is over.
  std::int32_t wait_for_commit() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || committed_; });
    return std::exchange(committed_, std::nullopt).value_or(0);
  }

  State& state_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;                   // protected by mutex_, as is
  std::optional<std::int32_t> committed_;  // with these tokens pinned
  std::thread thread_;                     // last: it uses the fields above
};

FakeReplica FakeReplica::says(const std::vector<std::string>& texts) {
  FakeReplica replica;
  replica.steps.push_back({protocol::Admitted{5, 0, "fp_fake"}});
  for (const auto& text : texts) replica.steps.push_back({protocol::Delta{0, text, {}, 1}});
  replica.steps.push_back(
      {protocol::ChoiceEnd{0, protocol::FinishReason::stop, ""},
       protocol::Finished{absl::OkStatus(), {5, 0, static_cast<std::int32_t>(texts.size())}}});
  return replica;
}

namespace {

FakeReplica default_answer(std::int32_t n) {
  FakeReplica replica;
  replica.steps.push_back({protocol::Admitted{5, 0, "fp_fake"}});
  for (const char* text : {"Hello", " world"}) {
    auto& step = replica.steps.emplace_back();
    for (std::int32_t i = 0; i < n; ++i) step.push_back(protocol::Delta{i, text, {}, 1});
  }
  auto& last = replica.steps.emplace_back();
  for (std::int32_t i = 0; i < n; ++i)
    last.push_back(protocol::ChoiceEnd{i, protocol::FinishReason::stop, ""});
  last.push_back(protocol::Finished{absl::OkStatus(), {5, 0, 2 * n}});
  return replica;
}

protocol::EmbedResult default_embedding(const protocol::EmbedRequest& request) {
  protocol::EmbedResult result;
  result.dimensions = request.dimensions > 0 ? request.dimensions : 4;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    result.vectors.push_back(1);
    result.vectors.resize(result.vectors.size() + static_cast<std::size_t>(result.dimensions) - 1);
  }
  result.usage.prompt_tokens = 2 * static_cast<std::int32_t>(request.inputs.size());
  return result;
}

}  // namespace

FakeModelService::FakeModelService(std::vector<ModelCard> cards)
    : cards_(std::move(cards)), state_(std::make_unique<State>()) {}
FakeModelService::~FakeModelService() = default;

void FakeModelService::enqueue(FakeReplica script) {
  const std::lock_guard lock(state_->mutex);
  state_->scripts.push_back(std::move(script));
}

void FakeModelService::reset() {
  const std::lock_guard lock(state_->mutex);
  state_->scripts.clear();
  state_->requests.clear();
  state_->embed_requests.clear();
  state_->cancelled = 0;
  state_->ready = true;
}

void FakeModelService::set_ready(bool ready) {
  const std::lock_guard lock(state_->mutex);
  state_->ready = ready;
}

std::vector<protocol::GenerateRequest> FakeModelService::requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->requests;
}

std::vector<protocol::EmbedRequest> FakeModelService::embed_requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->embed_requests;
}

bool FakeModelService::wait_for_cancelled(int calls, std::chrono::milliseconds limit) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, limit, [&] { return state_->cancelled >= calls; });
}

std::vector<ModelCard> FakeModelService::list() const { return cards_; }

absl::StatusOr<ModelCard> FakeModelService::find(const std::string& name) const {
  for (const auto& card : cards_) {
    if (card.id == name) return card;
  }
  return base::not_found("[fake] no model " + name);
}

std::optional<FakeReplica> FakeModelService::next_script() {
  const std::lock_guard lock(state_->mutex);
  if (state_->scripts.empty()) return std::nullopt;
  FakeReplica script = std::move(state_->scripts.front());
  state_->scripts.pop_front();
  return script;
}

std::unique_ptr<Call> FakeModelService::generate(protocol::GenerateRequest request,
                                                 GenerateSink sink) {
  const auto n = request.n;
  const auto output_max = request.max_tokens.value_or(100);
  const bool held = request.held;
  {
    const std::lock_guard lock(state_->mutex);
    state_->requests.push_back(std::move(request));
  }
  auto script = next_script();
  if (!script) script = default_answer(n);
  std::vector<std::function<void()>> deliveries;
  const auto shared = std::make_shared<GenerateSink>(std::move(sink));
  // A script that begins with an error has nothing to prepare.
  const bool fails = !script->steps.empty() && !script->steps[0].empty() &&
                     std::holds_alternative<protocol::Finished>(script->steps[0][0]);
  std::function<void(std::int32_t)> prepare;
  if (held && !fails) {
    prepare = [shared, output_max, prompt = script->prompt_tokens](std::int32_t pinned) {
      (*shared)({protocol::Prepared{prompt, output_max, pinned}});
    };
  }
  for (auto& step : script->steps)
    deliveries.emplace_back([shared, step = std::move(step)] { (*shared)(step); });
  return std::make_unique<Line>(*state_, *script, std::move(prepare), std::move(deliveries));
}

std::unique_ptr<Call> FakeModelService::embed(protocol::EmbedRequest request, EmbedSink sink) {
  const auto script = next_script();
  auto result = script && script->embedding
                    ? *script->embedding
                    : absl::StatusOr<protocol::EmbedResult>(default_embedding(request));
  {
    const std::lock_guard lock(state_->mutex);
    state_->embed_requests.push_back(std::move(request));
  }
  std::vector<std::function<void()>> deliveries;
  if (!script || !script->hangs)
    deliveries.emplace_back([sink = std::move(sink), result = std::move(result)] { sink(result); });
  return std::make_unique<Line>(*state_, script.value_or(FakeReplica{}), nullptr,
                                std::move(deliveries));
}

bool FakeModelService::ready() const {
  const std::lock_guard lock(state_->mutex);
  return state_->ready;
}

}  // namespace plinth::cluster
