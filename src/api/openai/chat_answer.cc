#include "api/openai/chat_answer.h"

#include <fmt/format.h>

#include <iterator>

#include "api/openai/token_text.h"

namespace plinth::api {

namespace {

class ChatDocument final : public DocumentAnswer {
 public:
  explicit ChatDocument(AnswerShape shape) : DocumentAnswer(std::move(shape)) {}

  void finish(const protocol::Usage& usage, std::string& out) override {
    out += open_object({{"id", shape_.id},
                        {"object", "chat.completion"},
                        {"created", shape_.created},
                        {"model", shape_.model},
                        {"usage", usage_object(usage)},
                        {"service_tier", "default"},
                        {"system_fingerprint", fingerprint_}});
    out += R"("choices":[)";
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
      fmt::format_to(std::back_inserter(out), R"(,"finish_reason":"{}")", choice.reason);
      append_results(choice, out);
      out += '}';
    }
    out += ']';
    append_prompt_results(out);
    out += "}\n";
  }
};

// A role chunk for each choice, content chunks, an empty delta with the reason.
class ChatStream final : public StreamAnswer {
 public:
  explicit ChatStream(AnswerShape shape) : StreamAnswer(std::move(shape)) {}

  void add(std::size_t, protocol::GenerateEvent event, std::string& out) override {
    if (const auto* admitted = std::get_if<protocol::Admitted>(&event)) {
      set_head({{"id", shape_.id},
                {"object", "chat.completion.chunk"},
                {"created", shape_.created},
                {"model", shape_.model},
                {"service_tier", "default"},
                {"system_fingerprint", admitted->system_fingerprint}});
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
      out += R"(,"finish_reason":null)";
      append_results(static_cast<std::size_t>(delta->index), true, out);
      end_chunk(delta->text.size(), out);
    } else if (const auto* end = std::get_if<protocol::ChoiceEnd>(&event)) {
      begin_choice(end->index, out);
      out += R"({},"logprobs":null,"finish_reason":)";
      base::append_json_string(out, protocol::finish_reason_name(end->reason));
      append_results(static_cast<std::size_t>(end->index),
                     end->reason == protocol::FinishReason::content_filter, out);
      end_chunk(0, out);
    }
  }

  void checked_until(std::size_t, std::int32_t index, std::size_t characters,
                     std::string& out) override {
    if (!shape_.azure) return;
    out += before_choices_;
    fmt::format_to(std::back_inserter(out),
                   R"({{"index":{},"finish_reason":null,"logprobs":null,"content_filter_offsets":)"
                   R"({{"check_offset":{},"start_offset":0,"end_offset":{}}})",
                   index, characters, characters);
    append_results(static_cast<std::size_t>(index), true, out);
    end_chunk(0, out);
  }

 private:
  void begin_choice(std::int32_t index, std::string& out) const {
    out += before_choices_;
    fmt::format_to(std::back_inserter(out), R"({{"index":{},"delta":)", index);
  }

  void open(std::int32_t index, std::string& out) {
    begin_choice(index, out);
    out += R"({"role":"assistant","content":"","refusal":null},"logprobs":)";
    out += shape_.logprobs ? R"({"content":[],"refusal":null})" : "null";
    out += R"(,"finish_reason":null)";
    append_results(static_cast<std::size_t>(index), false, out);
    end_chunk(0, out);
  }
};

}  // namespace

std::unique_ptr<Answer> make_chat_document(AnswerShape shape) {
  return std::make_unique<ChatDocument>(std::move(shape));
}

std::unique_ptr<Answer> make_chat_stream(AnswerShape shape) {
  return std::make_unique<ChatStream>(std::move(shape));
}

}  // namespace plinth::api
