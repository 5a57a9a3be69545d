#include "engine/request/admission.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/limits.h"

namespace plinth::engine {
namespace {

class AdmissionTest : public ::testing::Test {
 protected:
  AdmissionTest() { request_.prompt = protocol::TokenPrompt{}; }
  absl::StatusOr<std::int32_t> admit(int prompt) const {
    return output_tokens_max(request_, std::vector<std::int32_t>(static_cast<std::size_t>(prompt)),
                             {64, 100});
  }
  // The parameter that is named, or "" where the request passes.
  std::string refused() const {
    const auto result = admit(4);
    if (result.ok()) return "";
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    const auto param = result.status().GetPayload(protocol::kParamPayload);
    return param ? std::string(*param) : "none";
  }
  protocol::GenerateRequest request_;
};

TEST_F(AdmissionTest, OutputIsWhatWasAskedForOrUntilTheContextIsFull) {
  EXPECT_EQ(*admit(4), 60);
  EXPECT_EQ(*admit(63), 1);
  request_.max_tokens = 60;
  EXPECT_EQ(*admit(4), 60);
  request_.max_tokens = 0;
  EXPECT_EQ(*admit(64), 0);
}

TEST_F(AdmissionTest, TheContextLengthIsRefusedWithItsNumbers) {
  auto status = admit(64).status();
  EXPECT_EQ(status.GetPayload(protocol::kCodePayload), "context_length_exceeded");
  EXPECT_NE(base::message(status).find("resulted in 64 tokens"), std::string_view::npos) << status;
  request_.max_tokens = 61;
  status = admit(4).status();
  EXPECT_NE(base::message(status).find("65 tokens (4 in the prompt, 61 in the completion)"),
            std::string_view::npos)
      << status;
  request_.max_tokens = INT32_MAX;
  EXPECT_FALSE(admit(4).ok()) << "a sum past 32 bits";
  request_.prompt = protocol::ChatPrompt{};
  EXPECT_EQ(admit(4).status().GetPayload(protocol::kParamPayload), "messages");
}

TEST_F(AdmissionTest, NamesTheParameterThatIsOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(refused(), "");
  const auto with = [&](auto change) {
    auto saved = request_;
    change(request_);
    const auto param = refused();
    request_ = saved;
    return param;
  };
  using R = protocol::GenerateRequest;
  EXPECT_EQ(with([](R& r) { r.n = 0; }), "n");
  EXPECT_EQ(with([](R& r) { r.n = kChoicesMax + 1; }), "n");
  EXPECT_EQ(with([](R& r) { r.max_tokens = -1; }), "max_tokens");
  EXPECT_EQ(with([](R& r) { r.top_logprobs = 21; }), "top_logprobs");
  EXPECT_EQ(with([](R& r) { r.stop = {"\x80"}; }), "stop");
  EXPECT_EQ(with([](R& r) { r.sampling.temperature = -0.1; }), "temperature");
  EXPECT_EQ(with([&](R& r) { r.sampling.temperature = nan; }), "temperature");
  EXPECT_EQ(with([](R& r) { r.sampling.top_p = 1.1; }), "top_p");
  EXPECT_EQ(with([&](R& r) { r.sampling.min_p = nan; }), "min_p");
  EXPECT_EQ(with([](R& r) { r.sampling.typical_p = -1; }), "typical_p");
  EXPECT_EQ(with([](R& r) { r.sampling.top_k = -1; }), "top_k");
  EXPECT_EQ(with([](R& r) { r.sampling.repetition_penalty = 0; }), "repetition_penalty");
  EXPECT_EQ(with([&](R& r) { r.sampling.presence_penalty = nan; }), "presence_penalty");
  EXPECT_EQ(with([](R& r) { r.sampling.logit_bias = {{100, 1.0f}}; }), "logit_bias");
  EXPECT_EQ(with([](R& r) { r.sampling.logit_bias = {{99, 1.0f}}; }), "");
}

TEST_F(AdmissionTest, ABiasThatBansEveryTokenIsRefused) {
  for (int token = 0; token < 99; ++token) request_.sampling.logit_bias.push_back({token, -100.0f});
  request_.sampling.logit_bias.push_back({0, -100.0f});
  EXPECT_EQ(refused(), "");
  request_.sampling.logit_bias.push_back({99, -100.0f});
  EXPECT_EQ(refused(), "logit_bias");
}

TEST_F(AdmissionTest, APromptTokenOutsideTheVocabularyIsNamed) {
  const std::vector<std::int32_t> prompt = {1, 100};
  const auto status = output_tokens_max(request_, prompt, {64, 100}).status();
  EXPECT_NE(base::message(status).find("token 100"), std::string_view::npos) << status;
  EXPECT_FALSE(output_tokens_max(request_, {}, {64, 100}).ok());
}

}  // namespace
}  // namespace plinth::engine
