#include "api/openai/completion_answer.h"

#include <fmt/format.h>

#include <iterator>
#include <vector>

#include "api/openai/token_text.h"

namespace plinth::api {

namespace {

base::json::object head(const AnswerShape& shape, const std::string& fingerprint) {
  return {{"id", shape.id},
          {"object", "text_completion"},
          {"created", shape.created},
          {"model", shape.model},
          {"system_fingerprint", fingerprint}};
}

class CompletionDocument final : public DocumentAnswer {
 public:
  explicit CompletionDocument(AnswerShape shape) : DocumentAnswer(std::move(shape)) {}

  void finish(const protocol::Usage& usage, std::string& out) override {
    out += open_object(head(shape_, fingerprint_)) + R"("choices":[)";
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      const auto& choice = choices_[i];
      fmt::format_to(std::back_inserter(out), R"({}{{"index":{},"text":)", i > 0 ? "," : "", i);
      base::append_json_string(out, choice.text);
      out += R"(,"logprobs":)";
      std::size_t characters = 0;
      if (shape_.logprobs)
        append_completion_logprobs(out, choice.logprobs, characters);
      else
        out += "null";
      fmt::format_to(std::back_inserter(out), R"(,"finish_reason":"{}")", choice.reason);
      append_results(choice, out);
      out += '}';
    }
    out += ']';
    append_prompt_results(out);
    out += R"(,"usage":)" + base::to_json(usage_object(usage)) + "}\n";
  }
};

class CompletionStream final : public StreamAnswer {
 public:
  explicit CompletionStream(AnswerShape shape)
      : StreamAnswer(std::move(shape)), characters_(shape_.choices()) {}

  void add(std::size_t call, protocol::GenerateEvent event, std::string& out) override {
    if (const auto* admitted = std::get_if<protocol::Admitted>(&event)) {
      if (before_choices_.empty()) set_head(head(shape_, admitted->system_fingerprint));
    } else if (const auto* delta = std::get_if<protocol::Delta>(&event)) {
      if (delta->text.empty() && delta->logprobs.empty()) return;
      chunk(shape_.index_of(call, delta->index), delta->text, delta, "null", out);
    } else if (const auto* end = std::get_if<protocol::ChoiceEnd>(&event)) {
      const std::string reason = fmt::format("\"{}\"", protocol::finish_reason_name(end->reason));
      chunk(shape_.index_of(call, end->index), "", nullptr, reason, out);
    }
  }

 private:
  void chunk(std::size_t index, std::string_view text, const protocol::Delta* delta,
             std::string_view reason, std::string& out) {
    out += before_choices_;
    fmt::format_to(std::back_inserter(out), R"({{"index":{},"text":)", index);
    base::append_json_string(out, text);
    out += R"(,"logprobs":)";
    if (shape_.logprobs && delta != nullptr)
      append_completion_logprobs(out, delta->logprobs, characters_.at(index));
    else
      out += "null";
    out += R"(,"finish_reason":)";
    out += reason;
    append_results(index, !text.empty() || reason == R"("content_filter")", out);
    end_chunk(text.size(), out);
  }

  std::vector<std::size_t> characters_;  // of each choice's text so far
};

}  // namespace

std::unique_ptr<Answer> make_completion_document(AnswerShape shape) {
  return std::make_unique<CompletionDocument>(std::move(shape));
}

std::unique_ptr<Answer> make_completion_stream(AnswerShape shape) {
  return std::make_unique<CompletionStream>(std::move(shape));
}

}  // namespace plinth::api
