#include "api/openai/completion_answer.h"

#include <fmt/format.h>

#include <iterator>
#include <vector>

#include "api/error_map.h"
#include "api/openai/chat_answer.h"
#include "api/openai/token_text.h"
#include "api/sse_writer.h"

namespace plinth::api {

namespace {

std::string head(const CompletionShape& shape, const std::string& fingerprint) {
  std::string text = base::to_json(base::json::object{{"id", shape.id},
                                                      {"object", "text_completion"},
                                                      {"created", shape.created},
                                                      {"model", shape.model},
                                                      {"system_fingerprint", fingerprint}});
  text.back() = ',';
  return text + R"("choices":[)";
}

std::size_t index_of(const CompletionShape& shape, std::size_t call, std::int32_t choice) {
  return call * static_cast<std::size_t>(shape.n) + static_cast<std::size_t>(choice);
}

class CompletionDocument final : public Answer {
 public:
  explicit CompletionDocument(CompletionShape shape)
      : shape_(std::move(shape)), choices_(shape_.prompts * static_cast<std::size_t>(shape_.n)) {}

  bool streams() const override { return false; }

  void add(std::size_t call, protocol::GenerateEvent event, std::string&) override {
    if (auto* admitted = std::get_if<protocol::Admitted>(&event)) {
      fingerprint_ = std::move(admitted->system_fingerprint);
    } else if (auto* delta = std::get_if<protocol::Delta>(&event)) {
      auto& choice = choices_.at(index_of(shape_, call, delta->index));
      choice.text += delta->text;
      for (auto& position : delta->logprobs) choice.logprobs.push_back(std::move(position));
    } else if (const auto* end = std::get_if<protocol::ChoiceEnd>(&event)) {
      choices_.at(index_of(shape_, call, end->index)).reason =
          protocol::finish_reason_name(end->reason);
    }
  }

  void finish(const protocol::Usage& usage, std::string& out) override {
    out += head(shape_, fingerprint_);
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
      fmt::format_to(std::back_inserter(out), R"(,"finish_reason":"{}"}})", choice.reason);
    }
    out += R"(],"usage":)" + base::to_json(usage_object(usage)) + "}\n";
  }

  void fail(const absl::Status&, std::string&) override {}

 private:
  struct Choice {
    std::string text;
    std::vector<protocol::PositionLogprobs> logprobs;
    std::string_view reason = "stop";
  };
  const CompletionShape shape_;
  std::string fingerprint_;
  std::vector<Choice> choices_;
};

class CompletionStream final : public Answer {
 public:
  explicit CompletionStream(CompletionShape shape)
      : shape_(std::move(shape)),
        characters_(shape_.prompts * static_cast<std::size_t>(shape_.n)) {}

  bool streams() const override { return true; }

  void add(std::size_t call, protocol::GenerateEvent event, std::string& out) override {
    if (const auto* admitted = std::get_if<protocol::Admitted>(&event)) {
      if (before_choice_.empty())
        before_choice_ = "data: " + head(shape_, admitted->system_fingerprint);
    } else if (const auto* delta = std::get_if<protocol::Delta>(&event)) {
      if (delta->text.empty() && delta->logprobs.empty()) return;
      chunk(index_of(shape_, call, delta->index), delta->text, delta, "null", out);
    } else if (const auto* end = std::get_if<protocol::ChoiceEnd>(&event)) {
      const std::string reason = fmt::format("\"{}\"", protocol::finish_reason_name(end->reason));
      chunk(index_of(shape_, call, end->index), "", nullptr, reason, out);
    }
  }

  void finish(const protocol::Usage& usage, std::string& out) override {
    if (shape_.include_usage) {
      out += before_choice_ + R"(],"usage":)" + base::to_json(usage_object(usage));
      if (shape_.obfuscator) shape_.obfuscator->append(out, 0);
      out += "}\n\n";
    }
    append_done(out);
  }

  void fail(const absl::Status& status, std::string& out) override {
    append_event(out, error_object(status));
  }

 private:
  void chunk(std::size_t index, std::string_view text, const protocol::Delta* delta,
             std::string_view reason, std::string& out) {
    out += before_choice_;
    fmt::format_to(std::back_inserter(out), R"({{"index":{},"text":)", index);
    base::append_json_string(out, text);
    out += R"(,"logprobs":)";
    if (shape_.logprobs && delta != nullptr)
      append_completion_logprobs(out, delta->logprobs, characters_.at(index));
    else
      out += "null";
    out += R"(,"finish_reason":)";
    out += reason;
    out += shape_.include_usage ? R"(}],"usage":null)" : "}]";
    if (shape_.obfuscator) shape_.obfuscator->append(out, text.size());
    out += "}\n\n";
  }

  CompletionShape shape_;
  std::string before_choice_;
  std::vector<std::size_t> characters_;  // of each choice's text so far
};

}  // namespace

std::unique_ptr<Answer> make_completion_document(CompletionShape shape) {
  return std::make_unique<CompletionDocument>(std::move(shape));
}

std::unique_ptr<Answer> make_completion_stream(CompletionShape shape) {
  return std::make_unique<CompletionStream>(std::move(shape));
}

}  // namespace plinth::api
