#include "worker/served_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>

namespace plinth::worker {
namespace {

std::string golden(const std::string& name) {
  return std::string(PLINTH_SOURCE_DIR) + "/tests/golden/" + name;
}

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

TEST_F(ServedModelTest, AModelThatCannotBeReadIsAnErrorThatNamesIt) {
  WorkerOptions options;
  options.model_path = "/nowhere/model.gguf";
  const auto model = ServedModel::load(options, clock_, outbox_);
  ASSERT_FALSE(model.ok());
  EXPECT_NE(base::message(model.status()).find("/nowhere/model.gguf"), std::string_view::npos);
}

}  // namespace
}  // namespace plinth::worker
