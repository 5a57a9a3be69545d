#include "worker/served_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/support/source_dir.h"

namespace plinth::worker {
namespace {

std::string golden(const std::string& name) { return source_dir() + "/tests/golden/" + name; }

// A gateway's end that keeps what it is sent.
class KeepingLink final : public net::RpcLink {
 public:
  absl::Status send(const std::string& frame) override {
    auto message = protocol::decode_to_gateway(frame);
    EXPECT_TRUE(message.ok()) << message.status();
    std::lock_guard lock(mutex_);
    messages_.push_back(*std::move(message));
    changed_.notify_all();
    return absl::OkStatus();
  }
  std::optional<std::string> receive() override { return std::nullopt; }
  void close() override {}

  // The next message of this kind; others before it are dropped.
  template <typename Message>
  Message next() {
    std::unique_lock lock(mutex_);
    while (true) {
      if (!changed_.wait_for(lock, std::chrono::seconds(60), [&] { return !messages_.empty(); })) {
        ADD_FAILURE() << "no message came";
        return {};
      }
      auto message = std::move(messages_.front());
      messages_.pop_front();
      if (auto* found = std::get_if<Message>(&message)) return std::move(*found);
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<protocol::ToGateway> messages_;
};

class ServedModelTest : public testing::Test {
 protected:
  std::unique_ptr<ServedModel> load(const std::string& path) {
    WorkerOptions options;
    options.model_path = path;
    options.engine.kv_bytes = 1 << 20;
    auto model = ServedModel::load(options, clock_, outbox_);
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? *std::move(model) : nullptr;
  }
  static protocol::EmbedRequest request(const std::string& text) {
    protocol::EmbedRequest request;
    request.inputs.emplace_back(protocol::TextPrompt{text});
    request.inputs.emplace_back(protocol::TokenPrompt{{2, 8, 3}});
    return request;
  }
  base::RealClock clock_;
  KeepingLink link_;
  Outbox outbox_{link_};
};

TEST_F(ServedModelTest, AnEncoderEmbedsAndRefusesToGenerate) {
  const auto model = load(golden("encoder/bert_mean"));
  ASSERT_NE(model, nullptr);
  EXPECT_TRUE(model->ready().embeds);
  EXPECT_FALSE(model->ready().generates);
  EXPECT_EQ(model->ready().context_tokens, 20);
  model->start(protocol::StartEmbed{7, request("a")});
  const auto reply = link_.next<protocol::EmbedReply>();
  EXPECT_EQ(reply.call, 7u);
  ASSERT_TRUE(reply.result.ok()) << reply.result.status();
  EXPECT_EQ(reply.result->dimensions, 24);
  EXPECT_EQ(reply.result->usage.prompt_tokens, 6);
  EXPECT_GT(reply.result->usage.device_us, 0);
  // "a" is [CLS] a [SEP], which is what the token array spells.
  const auto& vectors = reply.result->vectors;
  ASSERT_EQ(vectors.size(), 48u);
  EXPECT_TRUE(std::equal(vectors.begin(), vectors.begin() + 24, vectors.begin() + 24));
  model->start(protocol::StartEmbed{8, request("twenty letters and more")});
  const auto refused = link_.next<protocol::EmbedReply>();
  EXPECT_TRUE(absl::IsInvalidArgument(refused.result.status())) << refused.result.status();
  EXPECT_EQ(refused.result.status().GetPayload(protocol::kCodePayload), "context_length_exceeded");
  model->start(protocol::StartGenerate{9, {}});
  const auto step = link_.next<protocol::Step>();
  ASSERT_EQ(step.calls.size(), 1u);
  const auto* finished = std::get_if<protocol::Finished>(&step.calls[0].events.at(0));
  ASSERT_NE(finished, nullptr);
  EXPECT_TRUE(absl::IsInvalidArgument(finished->status)) << finished->status;
}

TEST_F(ServedModelTest, ADecoderGeneratesAndRefusesToEmbed) {
  const auto model = load(golden("model/tiny_llama.gguf"));
  ASSERT_NE(model, nullptr);
  EXPECT_TRUE(model->ready().generates);
  EXPECT_FALSE(model->ready().embeds);
  model->start(protocol::StartEmbed{3, request("a")});
  const auto reply = link_.next<protocol::EmbedReply>();
  EXPECT_EQ(reply.call, 3u);
  EXPECT_TRUE(absl::IsInvalidArgument(reply.result.status()));
  EXPECT_NE(base::message(reply.result.status()).find("makes no embeddings"),
            std::string_view::npos);
}

protocol::GenerateRequest held(std::int32_t max_tokens) {
  protocol::GenerateRequest request;
  request.prompt = protocol::TokenPrompt{{1, 2, 3}};
  request.max_tokens = max_tokens;
  request.ignore_eos = true;
  request.held = true;
  return request;
}

TEST_F(ServedModelTest, AHeldRequestSaysWhatItCostsAndRunsOnceItIsCommitted) {
  const auto model = load(golden("model/tiny_llama.gguf"));
  ASSERT_NE(model, nullptr);
  model->start(protocol::StartGenerate{5, held(4)});
  auto step = link_.next<protocol::Step>();
  ASSERT_EQ(step.calls.size(), 1u);
  ASSERT_EQ(step.calls[0].events.size(), 1u);
  const auto* prepared = std::get_if<protocol::Prepared>(&step.calls[0].events[0]);
  ASSERT_NE(prepared, nullptr);
  EXPECT_EQ(prepared->prompt_tokens, 3);
  EXPECT_EQ(prepared->output_tokens_max, 4);
  EXPECT_EQ(model->heartbeat().requests, 0) << "nothing is computed yet";
  model->commit({5, 0});
  model->commit({5, 0});  // twice is once
  std::optional<protocol::Finished> end;
  while (!end && !HasFailure()) {
    // Events of several steps may come together.
    const auto produced = link_.next<protocol::Step>();
    for (const auto& call : produced.calls) {
      for (const auto& event : call.events) {
        EXPECT_FALSE(std::holds_alternative<protocol::Prepared>(event));
        if (const auto* finished = std::get_if<protocol::Finished>(&event)) end = *finished;
      }
    }
  }
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(end->status.ok()) << end->status;
  EXPECT_EQ(end->usage.completion_tokens, 4);
  EXPECT_GT(end->usage.device_us, 0);
}

TEST_F(ServedModelTest, ACancelledHeldRequestNeverRuns) {
  const auto model = load(golden("model/tiny_llama.gguf"));
  ASSERT_NE(model, nullptr);
  model->start(protocol::StartGenerate{5, held(4)});
  EXPECT_EQ(link_.next<protocol::Step>().calls.at(0).call, 5u);
  model->cancel(5);
  model->commit({5, 0});
  model->commit({6, 0});  // that was never there
  model->start(protocol::StartGenerate{7, held(1)});
  EXPECT_EQ(link_.next<protocol::Step>().calls.at(0).call, 7u) << "nothing came of 5";
}

TEST_F(ServedModelTest, WhatCannotRunIsNotHeld) {
  const auto model = load(golden("model/tiny_llama.gguf"));
  ASSERT_NE(model, nullptr);
  auto request = held(4);
  request.prompt = protocol::TokenPrompt{std::vector<std::int32_t>(100'000, 1)};
  model->start(protocol::StartGenerate{5, request});
  const auto step = link_.next<protocol::Step>();
  const auto* end = std::get_if<protocol::Finished>(&step.calls.at(0).events.at(0));
  ASSERT_NE(end, nullptr);
  EXPECT_EQ(end->status.GetPayload(protocol::kCodePayload), "context_length_exceeded");
}

// With a clock that stands still.
class PinnedPromptTest : public ServedModelTest {
 protected:
  void SetUp() override {
    WorkerOptions options;
    options.model_path = golden("model/tiny_llama.gguf");
    options.engine.kv_bytes = 1 << 20;
    auto model = ServedModel::load(options, stopped_, outbox_);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    ASSERT_GE(model_->ready().context_tokens, 44);
  }
  void TearDown() override { model_.reset(); }
  // A prompt of 40 tokens, of which two pages can be found again.
  void prepare(protocol::CallId call) {
    auto request = held(4);
    request.prompt = protocol::TokenPrompt{std::vector<std::int32_t>(40, 3)};
    model_->start(protocol::StartGenerate{call, request});
  }
  protocol::Prepared next_prepared(protocol::CallId call) {
    const auto step = link_.next<protocol::Step>();
    EXPECT_EQ(step.calls.at(0).call, call);
    const auto* prepared = std::get_if<protocol::Prepared>(&step.calls.at(0).events.at(0));
    EXPECT_NE(prepared, nullptr);
    return prepared == nullptr ? protocol::Prepared{} : *prepared;
  }
  protocol::Usage finish() {
    while (!HasFailure()) {
      const auto produced = link_.next<protocol::Step>();
      for (const auto& call : produced.calls) {
        for (const auto& event : call.events) {
          const auto* finished = std::get_if<protocol::Finished>(&event);
          if (finished == nullptr) continue;
          EXPECT_TRUE(finished->status.ok()) << finished->status;
          return finished->usage;
        }
      }
    }
    return {};
  }
  void run_once() {
    prepare(1);
    EXPECT_EQ(next_prepared(1).pinned_tokens, 0);
    model_->commit({1, 0});
    EXPECT_EQ(finish().cached_tokens, 0);
  }

  base::FakeClock stopped_;
  std::unique_ptr<ServedModel> model_;
};

TEST_F(PinnedPromptTest, SaysWhatItFoundAndFindsItAgain) {
  run_once();
  prepare(2);
  const auto prepared = next_prepared(2);
  EXPECT_EQ(prepared.prompt_tokens, 40);
  EXPECT_EQ(prepared.pinned_tokens, 32);
  EXPECT_EQ(model_->heartbeat().pins_broken, 0);
  model_->commit({2, 32});
  EXPECT_EQ(finish().cached_tokens, 32);
}

TEST_F(PinnedPromptTest, WhatIsLostIsSaidInsteadOfRun) {
  run_once();
  prepare(2);
  EXPECT_EQ(next_prepared(2).pinned_tokens, 32);
  stopped_.advance(std::chrono::seconds(2));
  model_->commit({2, 32});
  EXPECT_EQ(next_prepared(2).pinned_tokens, 0) << "less was reserved than it may cost now";
  // A gateway may know of more than this worker ever had: a first one has died.
  model_->commit({2, 16});
  EXPECT_EQ(next_prepared(2).pinned_tokens, 0);
  model_->commit({2, 0});
  EXPECT_EQ(finish().prompt_tokens, 40);
}

TEST_F(PinnedPromptTest, ThatLessWasTakenAsPinnedIsFine) {
  run_once();
  prepare(2);
  EXPECT_EQ(next_prepared(2).pinned_tokens, 32);
  stopped_.advance(std::chrono::seconds(2));
  model_->commit({2, 0});
  EXPECT_EQ(finish().completion_tokens, 4);
}

TEST_F(PinnedPromptTest, WhoeverIsCancelledOrForgottenLetsGo) {
  run_once();
  // The loop says how its engine stands once it rests; a call makes it work before.
  const auto rests_with_pinned = [&](std::int32_t pages) {
    prepare(9);
    EXPECT_EQ(next_prepared(9).prompt_tokens, 40);
    model_->commit({9, 0});
    finish();
    const auto end = clock_.now() + std::chrono::seconds(30);
    while (model_->heartbeat().blocks_pinned != pages && clock_.now() < end)
      std::this_thread::yield();
    return model_->heartbeat().blocks_pinned == pages;
  };
  prepare(2);
  EXPECT_EQ(next_prepared(2).pinned_tokens, 32);
  EXPECT_TRUE(rests_with_pinned(2));
  model_->cancel(2);
  EXPECT_TRUE(rests_with_pinned(0));
  prepare(3);
  EXPECT_EQ(next_prepared(3).pinned_tokens, 32);
  stopped_.advance(std::chrono::seconds(2));
  prepare(4);
  EXPECT_EQ(next_prepared(4).pinned_tokens, 32);
  model_->cancel(4);
  EXPECT_TRUE(rests_with_pinned(0));
}

TEST_F(ServedModelTest, AModelThatCannotBeReadIsAnErrorThatNamesIt) {
  WorkerOptions options;
  options.model_path = "/nowhere/model.gguf";
  const auto model = ServedModel::load(options, clock_, outbox_);
  ASSERT_FALSE(model.ok());
  EXPECT_NE(base::message(model.status()).find("/nowhere/model.gguf"), std::string_view::npos);
}

}  // namespace
}  // namespace plinth::worker
