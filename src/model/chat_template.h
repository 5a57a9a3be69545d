// Chat templates: a sandboxed Jinja that renders byte-equal to Hugging Face's apply_chat_template.
// Templates come with the model file and are hostile input: steps, depth and output are bounded,
// and nothing outside the given values can be reached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

struct TemplateLimits {
  // The largest family template takes about 2,000 steps for ten messages; a request may hold
  // 10,000.
  std::uint64_t steps_max = 20'000'000;
  std::size_t depth_max = 64;                // nested calls and expressions
  std::size_t output_bytes_max = 32u << 20;  // twice the body limit of a request
  std::size_t source_bytes_max = 1u << 20;
};

// Well-formed UTF-8.
struct RenderedPrompt {
  std::string text;
  // Parts of the text, ascending and apart, that came from the request: everything but the
  // template's own text, bos_token, eos_token and the roles of messages. Whoever encodes the text
  // passes them as EncodeOptions::foreign, so that a message that spells a control token is text.
  std::vector<TextSpan> foreign;
};

// Immutable after parse(); render() is thread-safe.
class ChatTemplate {
 public:
  // InvalidArgument names line and what was found.
  static absl::StatusOr<ChatTemplate> parse(std::string_view source,
                                            const TemplateLimits& limits = {});
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // variables: an object with messages, tools (or null), add_generation_prompt, bos_token,
  // eos_token, and the caller's chat_template_kwargs. raise_exception() in the template becomes
  // InvalidArgument with its message; a bound passed becomes ResourceExhausted.
  // unix_now feeds strftime_now, so that tests need no clock.
  absl::StatusOr<RenderedPrompt> render(const base::json::object& variables,
                                        std::int64_t unix_now) const;
  // Added tokens of the vocabulary that mark the structure of a prompt: those that end a generation
  // and those that the template spells. Ascending. Files do not call all of them control tokens
  // (DeepSeek's <｜User｜> is an ordinary added token). White space and tokens of one or two bytes
  // are not among them: text holds those too.
  std::vector<TokenId> reserved_tokens(const TokenizerSpec& spec) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::model
