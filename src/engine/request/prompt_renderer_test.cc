#include "engine/request/prompt_renderer.h"

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
