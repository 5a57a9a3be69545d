// What the answers of chat and text completions have in common: the choices that a whole answer
// gathers, and the frame of a streamed one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/answer.h"
#include "api/exchange.h"
#include "api/openai/obfuscation.h"
#include "api/openai/sampling_fields.h"
#include "base/json.h"

namespace plinth::api {

// Call c, choice j of the calls becomes choice c * n + j of the answer.
struct AnswerShape {
  std::string id;  // "chatcmpl-...", "cmpl-..."
  std::string model;
  std::int64_t created = 0;
  std::size_t prompts = 1;  // chat has one
  std::int32_t n = 1;
  bool logprobs = false;
  bool include_usage = false;            // streams only
  std::optional<Obfuscator> obfuscator;  // streams only
  bool azure = false;                    // with what content policies found

  std::size_t choices() const { return prompts * static_cast<std::size_t>(n); }
  std::size_t index_of(std::size_t call, std::int32_t choice) const {
    return call * static_cast<std::size_t>(n) + static_cast<std::size_t>(choice);
  }
};

// Of one prompt; the id is fresh.
AnswerShape shape_for(const Exchange& exchange, std::string_view id_prefix,
                      const protocol::GenerateRequest& request, const StreamOptions& stream);

base::json::object usage_object(const protocol::Usage& usage);

// `document` without its last brace, so that more fields can follow: {"id":...,
std::string open_object(const base::json::object& document);

// Gathers the choices; finish() is the dialect's.
class DocumentAnswer : public Answer {
 public:
  bool streams() const final { return false; }
  void add(std::size_t call, protocol::GenerateEvent event, std::string& out) final;
  void fail(const absl::Status&, std::string&) final {}
  void prompts_checked(const std::string& results, std::string& out) final;
  void checked(std::size_t call, std::int32_t choice, const std::string& results) final;

 protected:
  struct Choice {
    std::string text;
    std::vector<protocol::PositionLogprobs> logprobs;
    std::string_view reason = "stop";
    std::string filter_results;  // JSON, "" where nothing was looked for
  };
  // ,"content_filter_results":... of a choice, and ,"prompt_filter_results":... of the answer.
  void append_results(const Choice& choice, std::string& out) const;
  void append_prompt_results(std::string& out) const;

  explicit DocumentAnswer(AnswerShape shape)
      : shape_(std::move(shape)), choices_(shape_.choices()) {}

  const AnswerShape shape_;
  std::string fingerprint_;
  std::string prompt_results_;
  std::vector<Choice> choices_;
};

// Every chunk is before_choices_, the dialect's choice up to its last brace, and end_chunk(). With
// include_usage every chunk has "usage": null and one more, without choices, has the numbers; then
// [DONE].
class StreamAnswer : public Answer {
 public:
  bool streams() const final { return true; }
  void finish(const protocol::Usage& usage, std::string& out) final;
  void fail(const absl::Status& status, std::string& out) final;
  void prompts_checked(const std::string& results, std::string& out) final;
  void checked(std::size_t call, std::int32_t choice, const std::string& results) final;

 protected:
  explicit StreamAnswer(AnswerShape shape)
      : shape_(std::move(shape)), filter_results_(shape_.choices()) {}
  // The bytes before each chunk's choices are the same: `head` has the fields of all chunks.
  void set_head(const base::json::object& head);
  void end_chunk(std::size_t text_bytes, std::string& out);
  // ,"content_filter_results":... of a choice, {} where its chunk has no text.
  void append_results(std::size_t choice, bool text, std::string& out) const;

  AnswerShape shape_;
  std::string before_choices_;  // "" until set_head()

 private:
  bool annotates_ = false;  // a content policy is at work, and its findings are told
  std::vector<std::string> filter_results_;  // of each choice; "" where nothing was looked for
};

}  // namespace plinth::api
