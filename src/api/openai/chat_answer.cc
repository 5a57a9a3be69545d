#include "api/openai/chat_answer.h"

#include <fmt/format.h>

#include <iterator>

#include "api/error_map.h"
#include "api/openai/token_text.h"
#include "api/sse_writer.h"

namespace plinth::api {

namespace {

class ChatDocument final : public Answer {
 public:
  explicit ChatDocument(ChatShape shape)
      : shape_(std::move(shape)), choices_(static_cast<std::size_t>(shape_.n)) {}

  bool streams() const override { return false; }

  void add(std::size_t, protocol::GenerateEvent event, std::string&) override {
    if (auto* admitted = std::get_if<protocol::Admitted>(&event)) {
      fingerprint_ = std::move(admitted->system_fingerprint);
    } else if (auto* delta = std::get_if<protocol::Delta>(&event)) {
      auto& choice = choices_.at(static_cast<std::size_t>(delta->index));
      choice.text += delta->text;
      for (auto& position : delta->logprobs) choice.logprobs.push_back(std::move(position));
    } else if (const auto* end = std::get_if<protocol::ChoiceEnd>(&event)) {
      choices_.at(static_cast<std::size_t>(end->index)).reason =
          protocol::finish_reason_name(end->reason);
    }
  }

  void finish(const protocol::Usage& usage, std::string& out) override {
    std::string head = base::to_json(base::json::object{{"id", shape_.id},
                                                        {"object", "chat.completion"},
                                                        {"created", shape_.created},
                                                        {"model", shape_.model},
                                                        {"usage", usage_object(usage)},
                                                        {"service_tier", "default"},
                                                        {"system_fingerprint", fingerprint_}});
    head.back() = ',';
    out += head + R"("choices":[)";
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      const auto& choice = choices_[i];
      fmt::format_to(std::back_inserter(out),
                     R"({}{{"index":{},"message":{{"role":"assistant","content":)",
                     i > 0 ? "," : "", i);
      base::append_json_string(out, choice.text);
      out += R"(,"refusal":null,"annotations":[]},"logprobs":)";
      if (shape_.logprobs)
        append_chat_logprobs(out, choice.logprobs);
      else
        out += "null";
      fmt::format_to(std::back_inserter(out), R"(,"finish_reason":"{}"}})", choice.reason);
    }
    out += "]}\n";
  }

  void fail(const absl::Status&, std::string&) override {}

 private:
  struct Choice {
    std::string text;
    std::vector<protocol::PositionLogprobs> logprobs;
    std::string_view reason = "stop";
  };
  const ChatShape shape_;
  std::string fingerprint_;
  std::vector<Choice> choices_;
};

// A role chunk for each choice, content chunks, an empty delta with the reason; with include_usage
// every chunk has "usage": null and one more, without choices, has the numbers; then [DONE].
// A chunk is the same bytes but for the index, the text and the reason, so those around them are
// made once.
class ChatStream final : public Answer {
 public:
  explicit ChatStream(ChatShape shape) : shape_(std::move(shape)) {}

  bool streams() const override { return true; }

  void add(std::size_t, protocol::GenerateEvent event, std::string& out) override {
    if (const auto* admitted = std::get_if<protocol::Admitted>(&event)) {
      prepare(admitted->system_fingerprint);
      // In the order of the choices: the SDKs' stream helpers take the first chunk's index for the
      // number of choices so far.
      for (std::int32_t index = 0; index < shape_.n; ++index) open(index, out);
    } else if (const auto* delta = std::get_if<protocol::Delta>(&event)) {
      if (delta->text.empty() && delta->logprobs.empty()) return;
      begin_choice(delta->index, out);
      out += R"({"content":)";
      base::append_json_string(out, delta->text);
      out += R"(},"logprobs":)";
      if (shape_.logprobs)
        append_chat_logprobs(out, delta->logprobs);
      else
        out += "null";
      end_chunk(R"(,"finish_reason":null}])", delta->text.size(), out);
    } else if (const auto* end = std::get_if<protocol::ChoiceEnd>(&event)) {
      begin_choice(end->index, out);
      out += R"({},"logprobs":null,"finish_reason":)";
      base::append_json_string(out, protocol::finish_reason_name(end->reason));
      end_chunk("}]", 0, out);
    }
  }

  void finish(const protocol::Usage& usage, std::string& out) override {
    if (shape_.include_usage) {
      out += before_choices_;
      out += R"([],"usage":)";
      out += base::to_json(usage_object(usage));
      if (shape_.obfuscator) shape_.obfuscator->append(out, 0);
      out += "}\n\n";
    }
    append_done(out);
  }

  void fail(const absl::Status& status, std::string& out) override {
    append_event(out, error_object(status));
  }

 private:
  void prepare(const std::string& fingerprint) {
    base::json::object head{{"id", shape_.id},           {"object", "chat.completion.chunk"},
                            {"created", shape_.created}, {"model", shape_.model},
                            {"service_tier", "default"}, {"system_fingerprint", fingerprint}};
    before_choices_ = "data: " + base::to_json(head);
    before_choices_.back() = ',';
    before_choices_ += R"("choices":)";
  }

  void begin_choice(std::int32_t index, std::string& out) const {
    out += before_choices_;
    fmt::format_to(std::back_inserter(out), R"([{{"index":{},"delta":)", index);
  }

  void open(std::int32_t index, std::string& out) {
    begin_choice(index, out);
    out += R"({"role":"assistant","content":"","refusal":null},"logprobs":)";
    out += shape_.logprobs ? R"({"content":[],"refusal":null})" : "null";
    end_chunk(R"(,"finish_reason":null}])", 0, out);
  }

  void end_chunk(std::string_view end, std::size_t text_bytes, std::string& out) {
    out += end;
    if (shape_.include_usage) out += R"(,"usage":null)";
    if (shape_.obfuscator) shape_.obfuscator->append(out, text_bytes);
    out += "}\n\n";
  }

  ChatShape shape_;
  std::string before_choices_;
};

}  // namespace

std::unique_ptr<Answer> make_chat_document(ChatShape shape) {
  return std::make_unique<ChatDocument>(std::move(shape));
}

std::unique_ptr<Answer> make_chat_stream(ChatShape shape) {
  return std::make_unique<ChatStream>(std::move(shape));
}

base::json::object usage_object(const protocol::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}, {"audio_tokens", 0}}},
          {"completion_tokens_details",
           {{"reasoning_tokens", 0},
            {"audio_tokens", 0},
            {"accepted_prediction_tokens", 0},
            {"rejected_prediction_tokens", 0}}}};
}

}  // namespace plinth::api
