#include "engine/request/output.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/fake_runner.h"

namespace plinth::engine {
namespace {

using protocol::ChoiceEnd;
using protocol::Delta;
using protocol::FinishReason;

// Token ids stand for pieces of text.
class PieceTokenizer final : public model::Tokenizer {
 public:
  explicit PieceTokenizer(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  absl::StatusOr<std::vector<model::TokenId>> encode(std::string_view,
                                                     const model::EncodeOptions&) const override {
    return std::vector<model::TokenId>();
  }
  std::string token_bytes(model::TokenId id, bool) const override {
    return pieces_[static_cast<std::size_t>(id)];
  }
  std::int32_t vocab_size() const override { return static_cast<std::int32_t>(pieces_.size()); }
  const model::TokenizerSpec& spec() const override { return spec_; }
  bool is_end_of_generation(model::TokenId) const override { return false; }
  bool is_control(model::TokenId) const override { return false; }

 private:
  std::vector<std::string> pieces_;
  model::TokenizerSpec spec_;
};

struct Said {
  std::string text;
  std::string tokens;  // of the log-probabilities, joined by '|'
  std::vector<std::string> deltas;
  int counted = 0;
  FinishReason reason = FinishReason::none;
  std::string matched;
};

// Pushes each piece as a token with log-probabilities, until a stop or the end.
Said say(const std::vector<std::string>& pieces, const std::vector<std::string>& stops,
         bool end_token = false) {
  const PieceTokenizer tokenizer(pieces);
  protocol::GenerateRequest spec;
  spec.stop = stops;
  Output output(3, tokenizer, spec);
  Output::Events events;
  bool stopped = false;
  for (std::size_t i = 0; i < pieces.size() && !stopped; ++i) {
    protocol::PositionLogprobs logprobs;
    logprobs.chosen.token = static_cast<std::int32_t>(i);
    name_tokens(tokenizer, logprobs);
    stopped = output.push(static_cast<std::int32_t>(i), std::move(logprobs), events);
  }
  if (end_token) output.count_end_token();
  output.finish(end_token ? FinishReason::stop : FinishReason::length, events);
  Said said;
  for (const auto& event : events) {
    EXPECT_EQ(said.reason, FinishReason::none) << "an event after the end";
    if (const auto* delta = std::get_if<Delta>(&event)) {
      EXPECT_EQ(delta->index, 3);
      said.text += delta->text;
      said.deltas.push_back(delta->text);
      said.counted += delta->tokens;
      for (const auto& l : delta->logprobs) said.tokens += l.chosen.bytes + "|";
    } else {
      said.reason = std::get<ChoiceEnd>(event).reason;
      said.matched = std::get<ChoiceEnd>(event).stop_matched;
    }
  }
  return said;
}

TEST(Output, EachTokensTextComesWithItsLogprobs) {
  const auto said = say({"He", "llo", " you"}, {});
  EXPECT_EQ(said.deltas, (std::vector<std::string>{"He", "llo", " you"}));
  EXPECT_EQ(said.tokens, "He|llo| you|");
  EXPECT_EQ(said.counted, 3);
  EXPECT_EQ(said.reason, FinishReason::length);
}

TEST(Output, AnEndTokenCountsAndHasNoText) {
  const auto said = say({"Hi"}, {}, true);
  EXPECT_EQ(said.text, "Hi");
  EXPECT_EQ(said.tokens, "Hi|");
  EXPECT_EQ(said.counted, 2);
  EXPECT_EQ(said.reason, FinishReason::stop);
}

TEST(Output, LogprobsWaitWithTextThatCouldBecomeAStop) {
  const auto said = say({"a", "S", "T", "x", "b"}, {"STOP"});
  EXPECT_EQ(said.deltas, (std::vector<std::string>{"a", "STx", "b"}));
  EXPECT_EQ(said.tokens, "a|S|T|x|b|");
}

// OpenAI's API reports no token of a stop string.
TEST(Output, TokensOfTheStopStringAreNotReported) {
  const auto said = say({"a", "ST", "OP", " more"}, {"STOP"});
  EXPECT_EQ(said.text, "a");
  EXPECT_EQ(said.tokens, "a|");
  EXPECT_EQ(said.counted, 3) << "what was computed counts, sent or not";
  EXPECT_EQ(said.matched, "STOP");
  EXPECT_EQ(said.reason, FinishReason::stop);
}

TEST(Output, ATokenThatOnlyEndsInTheStopStringIsReported) {
  const auto said = say({"good ST", "OP"}, {"STOP"});
  EXPECT_EQ(said.text, "good ");
  EXPECT_EQ(said.tokens, "good ST|");
  EXPECT_EQ(said.counted, 2);
}

TEST(Output, ACharacterInPartsIsSentOnceItIsWhole) {
  const auto said = say({"caf", "\xC3", "\xA9", "!"}, {});
  EXPECT_EQ(said.deltas, (std::vector<std::string>{"caf", "\xC3\xA9", "!"}));
  EXPECT_EQ(said.tokens, "caf|\xC3|\xA9|!|");
  EXPECT_EQ(said.counted, 4);
}

TEST(Output, AStopOfACharacterInPartsLeavesNoPartBehind) {
  const auto said = say({"caf", "\xC3", "\xA9", "!"}, {"\xC3\xA9"});
  EXPECT_EQ(said.text, "caf");
  EXPECT_EQ(said.tokens, "caf|");
  EXPECT_EQ(said.counted, 3);
}

TEST(Output, BytesThatNeverBecomeACharacterAreReplacedAtTheEnd) {
  const auto said = say({"x", "\xF0\x9F"}, {});
  EXPECT_EQ(said.text.substr(0, 4), "x\xEF\xBF\xBD");
  EXPECT_EQ(said.tokens, "x|\xF0\x9F|");
  EXPECT_EQ(said.counted, 2);
}

TEST(Output, WhatWasHeldIsSentWhenTheChoiceEndsOtherwise) {
  const auto said = say({"a", "ST"}, {"STOP"});
  EXPECT_EQ(said.text, "aST");
  EXPECT_EQ(said.tokens, "a|ST|");
  EXPECT_EQ(said.reason, FinishReason::length);
}

}  // namespace
}  // namespace plinth::engine
