#include "apps/eval_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace plinth {

namespace {

using train::AnswerItem;
using train::ChoiceItem;
using train::TextItem;
using Tokens = std::vector<std::int32_t>;

// Of shares of right and wrong.
double error_of(double share, std::int64_t count) {
  return count < 2 ? 0 : std::sqrt(share * (1 - share) / static_cast<double>(count - 1));
}

// What stands before a text that nothing stands before: a likelihood is given something.
std::int32_t first_token(const model::Tokenizer& tokenizer) {
  const auto& spec = tokenizer.spec();
  if (spec.bos) return *spec.bos;
  return spec.eos.value_or(0);
}

absl::StatusOr<EvalEngine::Sequence> sequence_of(const EvalEngine& engine,
                                                 const std::string& context,
                                                 const std::string& text) {
  const auto& tokenizer = engine.tokenizer();
  EvalEngine::Sequence sequence;
  ASSIGN_OR_RETURN(const auto before, tokenizer.encode(context, {}));
  // As one text: a token may not end where the context does.
  ASSIGN_OR_RETURN(sequence.tokens, tokenizer.encode(context + text, {}));
  if (sequence.tokens.empty()) return base::invalid_argument("it has no token");
  sequence.from = std::min(before.size(), sequence.tokens.size() - 1);
  if (context.empty() || tokenizer.spec().add_bos) {
    sequence.tokens.insert(sequence.tokens.begin(), first_token(tokenizer));
    ++sequence.from;
  }
  if (const auto most = static_cast<std::size_t>(engine.context_tokens());
      sequence.tokens.size() > most) {
    return base::invalid_argument(
        fmt::format("it has {} tokens, and the model's context {}", sequence.tokens.size(), most));
  }
  return sequence;
}

// Windows of the model's context, each of which begins with nothing before it.
absl::StatusOr<std::vector<EvalEngine::Sequence>> windows_of(const EvalEngine& engine,
                                                             const std::string& text) {
  ASSIGN_OR_RETURN(const auto tokens, engine.tokenizer().encode(text, {}));
  const auto most = static_cast<std::size_t>(engine.context_tokens()) - 1;
  std::vector<EvalEngine::Sequence> windows;
  for (std::size_t begin = 0; begin < tokens.size(); begin += most) {
    auto& window = windows.emplace_back();
    window.tokens = {first_token(engine.tokenizer())};
    const auto end = std::min(tokens.size(), begin + most);
    window.tokens.insert(window.tokens.end(), tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                         tokens.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return windows;
}

std::size_t largest(const std::vector<double>& values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

class Evaluation {
 public:
  Evaluation(EvalEngine& engine, const EvalOptions& options) : engine_(engine), options_(options) {}

  absl::Status prepare(const train::EvalItem& item) {
    if (const auto* choice = std::get_if<ChoiceItem>(&item)) {
      for (const auto& text : choice->choices) {
        ASSIGN_OR_RETURN(auto sequence, sequence_of(engine_, choice->context, text));
        sequences_.push_back(std::move(sequence));
      }
    } else if (const auto* text = std::get_if<TextItem>(&item)) {
      ASSIGN_OR_RETURN(const auto windows, windows_of(engine_, text->text));
      text_windows_.push_back(windows.size());
      sequences_.insert(sequences_.end(), windows.begin(), windows.end());
    } else {
      requests_.push_back(request_of(std::get<AnswerItem>(item)));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<EvalReport> run(const std::vector<train::EvalItem>& items) {
    ASSIGN_OR_RETURN(scores_, engine_.score(sequences_));
    ASSIGN_OR_RETURN(said_, engine_.answer(std::move(requests_)));
    for (const auto& item : items) {
      if (const auto* choice = std::get_if<ChoiceItem>(&item)) judge(*choice);
      if (const auto* answer = std::get_if<AnswerItem>(&item)) judge(*answer);
      if (const auto* text = std::get_if<TextItem>(&item)) judge(*text);
    }
    close();
    return std::move(report_);
  }

 private:
  protocol::GenerateRequest request_of(const AnswerItem& item) const {
    protocol::GenerateRequest request;
    request.max_tokens = options_.max_tokens;
    request.stop = item.stop;
    if (item.messages.empty()) {
      request.prompt = protocol::TextPrompt{item.prompt};
    } else {
      protocol::ChatPrompt chat;
      chat.messages_json = base::to_json(item.messages);
      if (item.tools.is_array()) chat.tools_json = base::to_json(item.tools);
      request.prompt = std::move(chat);
    }
    return request;
  }

  void judge(const ChoiceItem& item) {
    std::vector<double> sums, by_bytes;
    for (const auto& text : item.choices) {
      const double sum = scores_[next_score_++].log_likelihood;
      sums.push_back(sum);
      by_bytes.push_back(sum / static_cast<double>(text.size()));
    }
    ++report_.choices;
    right_ += largest(sums) == item.right;
    right_by_bytes_ += largest(by_bytes) == item.right;
    report_.items.push_back(base::json::object{{"log_likelihoods", base::json::value_from(sums)},
                                               {"chosen", largest(sums)},
                                               {"right", item.right}});
  }
  void judge(const AnswerItem& item) {
    const auto& said = said_[next_answer_++];
    const bool right = train::is_right(item, said);
    ++report_.answers;
    matches_ += right;
    report_.items.push_back(
        base::json::object{{"said", said}, {"answer", item.answer}, {"right", right}});
  }
  void judge(const TextItem& item) {
    Scored all;
    for (std::size_t i = 0; i < text_windows_[static_cast<std::size_t>(report_.texts)]; ++i) {
      const auto& one = scores_[next_score_++];
      all.log_likelihood += one.log_likelihood;
      all.tokens += one.tokens;
      all.top += one.top;
    }
    ++report_.texts;
    texts_.log_likelihood += all.log_likelihood;
    texts_.tokens += all.tokens;
    texts_.top += all.top;
    bytes_ += static_cast<std::int64_t>(item.text.size());
    report_.items.push_back(base::json::object{
        {"loss", -all.log_likelihood / std::max<double>(1, static_cast<double>(all.tokens))},
        {"tokens", all.tokens}});
  }
  static double share(std::int64_t part, std::int64_t of) {
    return of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of);
  }
  void close() {
    report_.accuracy = share(right_, report_.choices);
    report_.accuracy_error = error_of(report_.accuracy, report_.choices);
    report_.accuracy_by_bytes = share(right_by_bytes_, report_.choices);
    report_.accuracy_by_bytes_error = error_of(report_.accuracy_by_bytes, report_.choices);
    report_.exact_match = share(matches_, report_.answers);
    report_.exact_match_error = error_of(report_.exact_match, report_.answers);
    report_.text_tokens = texts_.tokens;
    report_.token_accuracy = share(texts_.top, texts_.tokens);
    if (texts_.tokens == 0) return;
    report_.loss = -texts_.log_likelihood / static_cast<double>(texts_.tokens);
    report_.bits_per_byte = -texts_.log_likelihood / std::log(2.0) / static_cast<double>(bytes_);
  }

  EvalEngine& engine_;
  const EvalOptions options_;
  std::vector<EvalEngine::Sequence> sequences_;
  std::vector<std::size_t> text_windows_;  // by text
  std::vector<protocol::GenerateRequest> requests_;
  std::vector<Scored> scores_;
  std::vector<std::string> said_;
  std::size_t next_score_ = 0, next_answer_ = 0;
  std::int64_t right_ = 0, right_by_bytes_ = 0, matches_ = 0, bytes_ = 0;
  Scored texts_;
  EvalReport report_;
};

}  // namespace

base::json::object EvalReport::summary() const {
  base::json::object summary;
  if (choices > 0) {
    summary["choices"] = choices;
    summary["accuracy"] = accuracy;
    summary["accuracy_stderr"] = accuracy_error;
    summary["accuracy_by_bytes"] = accuracy_by_bytes;
    summary["accuracy_by_bytes_stderr"] = accuracy_by_bytes_error;
  }
  if (answers > 0) {
    summary["answers"] = answers;
    summary["exact_match"] = exact_match;
    summary["exact_match_stderr"] = exact_match_error;
  }
  if (texts > 0) {
    summary["texts"] = texts;
    summary["tokens"] = text_tokens;
    summary["loss"] = loss;
    summary["bits_per_byte"] = bits_per_byte;
    summary["token_accuracy"] = token_accuracy;
  }
  return summary;
}

absl::StatusOr<std::vector<train::EvalItem>> read_eval_items(const std::string& text,
                                                             std::int64_t limit) {
  std::vector<train::EvalItem> items;
  std::int64_t line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const std::string_view content(text.data() + begin, end - begin);
    begin = end + 1;
    ++line;
    if (content.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto item = train::read_eval_item(content);
    if (!item.ok()) {
      return base::invalid_argument(fmt::format("line {}: {}", line, base::message(item.status())));
    }
    items.push_back(*std::move(item));
    if (limit > 0 && static_cast<std::int64_t>(items.size()) == limit) break;
  }
  if (items.empty()) return base::invalid_argument("there is no line to test with");
  return items;
}

absl::StatusOr<EvalReport> run_eval(EvalEngine& engine, const std::vector<train::EvalItem>& items,
                                    const EvalOptions& options) {
  Evaluation evaluation(engine, options);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (const auto status = evaluation.prepare(items[i]); !status.ok())
      return base::annotate(status, fmt::format("item {}", i + 1));
  }
  return evaluation.run(items);
}

}  // namespace plinth
