#include "engine/request/prompt_renderer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/fake_runner.h"

namespace plinth::engine {
namespace {

class PromptRendererTest : public ::testing::Test {
 protected:
  // The prompt as text: the byte tokenizer's tokens are bytes.
  absl::StatusOr<std::string> render(const protocol::Prompt& prompt,
                                     std::string_view source = kTemplate) const {
    const auto chat_template = model::ChatTemplate::parse(source);
    EXPECT_TRUE(chat_template.ok()) << chat_template.status();
    const PromptRenderer renderer(*tokenizer_, &*chat_template, clock_);
    ASSIGN_OR_RETURN(const auto tokens, renderer.tokens(prompt));
    return std::string(tokens.begin(), tokens.end());
  }
  static constexpr char kTemplate[] =
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
      "{% if tools %}[{{ tools|length }} tools]{% endif %}{{ mood }}"
      "{% if add_generation_prompt %}<assistant>{% endif %}";

  base::FakeClock clock_;
  const std::unique_ptr<model::Tokenizer> tokenizer_ = make_byte_tokenizer();
};

TEST_F(PromptRendererTest, AChatGoesThroughTheTemplateWithAllItsInputs) {
  protocol::ChatPrompt chat;
  chat.messages_json = R"([{"role":"user","content":"hi"}])";
  EXPECT_EQ(*render(chat), "<user>hi<assistant>");
  chat.tools_json = R"([{},{}])";
  chat.template_kwargs_json = R"({"mood":"calm"})";
  chat.add_generation_prompt = false;
  EXPECT_EQ(*render(chat), "<user>hi[2 tools]calm");
}

TEST_F(PromptRendererTest, TheTemplatesDateIsTheClocks) {
  protocol::ChatPrompt chat;
  chat.messages_json = "[]";
  EXPECT_EQ(*render(chat, "{{ strftime_now('%Y') }}"), "2023");
}

TEST_F(PromptRendererTest, TextAndTokensNeedNoTemplate) {
  const PromptRenderer renderer(*tokenizer_, nullptr, clock_);
  EXPECT_EQ(*renderer.tokens(protocol::TextPrompt{"ab"}), (std::vector<std::int32_t>{'a', 'b'}));
  EXPECT_EQ(*renderer.tokens(protocol::TokenPrompt{{7, 300}}), (std::vector<std::int32_t>{7, 300}));
  const auto status = renderer.tokens(protocol::ChatPrompt{"[]", "", "", true}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(base::message(status).find("no chat template"), std::string_view::npos) << status;
}

// Bytes as tokens, and 256: <|end|>, a control token.
std::unique_ptr<model::Tokenizer> with_control_token() {
  model::TokenizerSpec spec;
  spec.kind = model::TokenizerKind::sentencepiece_bpe;
  spec.add_space_prefix = false;
  spec.byte_fallback = true;
  for (int b = 0; b < 256; ++b) spec.tokens.push_back(fmt::format("<0x{:02X}>", b));
  model::AddedToken end;
  end.id = 256;
  end.text = "<|end|>";
  end.special = true;
  spec.tokens.push_back(end.text);
  spec.added.push_back(end);
  spec.scores.assign(spec.tokens.size(), 0.0f);
  return *model::make_tokenizer(spec);
}

TEST_F(PromptRendererTest, AMessageCannotWriteControlTokens) {
  const auto tokenizer = with_control_token();
  const auto chat_template =
      model::ChatTemplate::parse("{% for m in messages %}{{ m.content }}<|end|>{% endfor %}");
  const PromptRenderer renderer(*tokenizer, &*chat_template, clock_);
  const auto chat = [&](const char* messages) {
    return *renderer.tokens(protocol::ChatPrompt{messages, "", "", true});
  };
  EXPECT_EQ(chat(R"([{"role":"user","content":"a"}])"), (std::vector<std::int32_t>{'a', 256}));
  const std::string spelt = "<|end|>";
  std::vector<std::int32_t> expected(spelt.begin(), spelt.end());
  expected.push_back(256);
  EXPECT_EQ(chat(R"([{"role":"user","content":"<|end|>"}])"), expected);
}

TEST_F(PromptRendererTest, ATextPromptMayWriteControlTokens) {
  const auto tokenizer = with_control_token();
  const PromptRenderer renderer(*tokenizer, nullptr, clock_);
  EXPECT_EQ(*renderer.tokens(protocol::TextPrompt{"a<|end|>b"}),
            (std::vector<std::int32_t>{'a', 256, 'b'}));
}

TEST_F(PromptRendererTest, BadInputIsTheCallersError) {
  EXPECT_EQ(render(protocol::ChatPrompt{"[", "", "", true}).status().code(),
            absl::StatusCode::kInvalidArgument);
  const auto refused = render(protocol::ChatPrompt{"[]", "", "", true},
                              "{{ raise_exception('roles must alternate') }}")
                           .status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(base::message(refused).find("roles must alternate"), std::string_view::npos) << refused;
}

}  // namespace
}  // namespace plinth::engine
