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

  std::size_t choices() const { return prompts * static_cast<std::size_t>(n); }
  std::size_t index_of(std::size_t call, std::int32_t choice) const {
    return call * static_cast<std::size_t>(n) + static_cast<std::size_t>(choice);
  }
};

// Of one prompt; the id is fresh.
AnswerShape shape_for(const Services& services, std::string_view id_prefix,
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

 protected:
  struct Choice {
    std::string text;
    std::vector<protocol::PositionLogprobs> logprobs;
    std::string_view reason = "stop";
  };
  explicit DocumentAnswer(AnswerShape shape)
      : shape_(std::move(shape)), choices_(shape_.choices()) {}

  const AnswerShape shape_;
  std::string fingerprint_;
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

 protected:
  explicit StreamAnswer(AnswerShape shape) : shape_(std::move(shape)) {}
  // The bytes before each chunk's choices are the same: `head` has the fields of all chunks.
  void set_head(const base::json::object& head);
  void end_chunk(std::size_t text_bytes, std::string& out);

  AnswerShape shape_;
  std::string before_choices_;  // "" until set_head()
};

}  // namespace plinth::api
