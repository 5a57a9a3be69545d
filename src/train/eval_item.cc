#include "train/eval_item.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "train/limits.h"
#include "train/record.h"

namespace plinth::train {

namespace {

using base::json::array;
using base::json::object;
using base::json::value;

absl::StatusOr<std::string> text_at(const object& from, std::string_view field) {
  const auto* found = from.if_contains(field);
  if (found == nullptr || !found->is_string() || found->get_string().empty())
    return base::invalid_argument(fmt::format("`{}` is missing, or no text", field));
  return std::string(found->get_string());
}

absl::StatusOr<EvalItem> read_pair(const object& line) {
  ChoiceItem item;
  for (const auto* field : {"sentence_good", "sentence_bad"}) {
    ASSIGN_OR_RETURN(item.choices.emplace_back(), text_at(line, field));
  }
  return EvalItem(std::move(item));
}

struct Labelled {
  std::vector<std::string> texts, labels;
};

// {"text": [...], "label": [...]}, [{"text", "label"}, ...], or plain texts, which are A, B, ...
absl::StatusOr<Labelled> read_choices(const value& choices) {
  Labelled read;
  const auto* parts = choices.if_object();
  const auto* texts = parts == nullptr ? choices.if_array() : nullptr;
  if (parts != nullptr && parts->contains("text") && parts->at("text").is_array()) {
    texts = &parts->at("text").get_array();
  }
  if (texts == nullptr) return base::invalid_argument("`choices` is no list of texts");
  for (std::size_t i = 0; i < texts->size(); ++i) {
    const auto* one = (*texts)[i].if_object();
    const value& text = one != nullptr && one->contains("text") ? one->at("text") : (*texts)[i];
    if (!text.is_string() || text.get_string().empty())
      return base::invalid_argument(fmt::format("`choices[{}]` is no text", i));
    read.texts.emplace_back(text.get_string());
    const value* label = one != nullptr ? one->if_contains("label") : nullptr;
    if (parts != nullptr && parts->contains("label") && parts->at("label").is_array() &&
        i < parts->at("label").get_array().size()) {
      label = &parts->at("label").get_array()[i];
    }
    read.labels.push_back(label != nullptr && label->is_string()
                              ? std::string(label->get_string())
                              : std::string(1, static_cast<char>('A' + i % 26)));
  }
  if (read.texts.size() < 2 || read.texts.size() > kEvalChoicesMax) {
    return base::invalid_argument(fmt::format("`choices` has {} texts: 2 to {} can be compared",
                                              read.texts.size(), kEvalChoicesMax));
  }
  return read;
}

// As it was published ("stem" and "choices" in "question"), or as data sets have it since. Clark et
// al., "Think you have solved question answering?", 2018.
absl::StatusOr<EvalItem> read_choice(const object& line) {
  const auto* question = line.if_contains("question");
  const auto* inner = question == nullptr ? nullptr : question->if_object();
  const object& place = inner == nullptr ? line : *inner;
  ASSIGN_OR_RETURN(const auto stem, text_at(place, inner == nullptr ? "question" : "stem"));
  const auto* choices = place.if_contains("choices");
  if (choices == nullptr) return base::invalid_argument("`choices` is missing");
  ASSIGN_OR_RETURN(const auto labelled, read_choices(*choices));
  ASSIGN_OR_RETURN(const auto key, text_at(line, "answerKey"));
  const auto right = std::find(labelled.labels.begin(), labelled.labels.end(), key);
  if (right == labelled.labels.end()) {
    return base::invalid_argument(fmt::format("`answerKey` is \"{}\": the labels are {}", key,
                                              fmt::join(labelled.labels, ", ")));
  }
  ChoiceItem item;
  item.context = "Question: " + stem + "\nAnswer:";
  for (const auto& text : labelled.texts) item.choices.push_back(" " + text);
  item.right = static_cast<std::size_t>(right - labelled.labels.begin());
  return EvalItem(std::move(item));
}

absl::StatusOr<EvalItem> read_number(const object& line) {
  AnswerItem item;
  ASSIGN_OR_RETURN(const auto question, text_at(line, "question"));
  ASSIGN_OR_RETURN(const auto answer, text_at(line, "answer"));
  item.prompt = "Question: " + question + "\nAnswer:";
  item.answer = last_number(answer);
  item.is_number = true;
  item.stop = {"Question:"};
  if (item.answer.empty()) return base::invalid_argument("`answer` has no number");
  return EvalItem(std::move(item));
}

absl::StatusOr<EvalItem> of_record(Record record) {
  if (auto* text = std::get_if<TextRecord>(&record))
    return EvalItem(TextItem{std::move(text->text)});
  AnswerItem item;
  if (auto* completion = std::get_if<CompletionRecord>(&record)) {
    item.prompt = std::move(completion->prompt);
    item.answer = std::move(completion->completion);
    return EvalItem(std::move(item));
  }
  auto& chat = std::get<ChatRecord>(record);
  if (chat.messages.back().at("role") != "assistant") {
    return base::invalid_argument(
        "the last of `messages` is not the assistant's: there is nothing to compare with");
  }
  item.answer = std::string_view(chat.messages.back().at("content").get_string());
  chat.messages.pop_back();
  if (item.answer.empty() || chat.messages.empty())
    return base::invalid_argument("`messages` has no question, or no text as its answer");
  item.messages = std::move(chat.messages);
  item.tools = std::move(chat.tools);
  return EvalItem(std::move(item));
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

}  // namespace

absl::StatusOr<EvalItem> read_eval_item(std::string_view line) {
  const auto parsed = base::parse_json(line, {.bytes_max = kLineBytesMax});
  if (!parsed.ok())
    return base::invalid_argument(fmt::format("it is no JSON: {}", base::message(parsed.status())));
  const auto* fields = parsed->if_object();
  if (fields == nullptr) return base::invalid_argument("it is no JSON object");
  if (fields->contains("sentence_good")) return read_pair(*fields);
  if (fields->contains("answerKey")) return read_choice(*fields);
  if (fields->contains("question")) return read_number(*fields);
  ASSIGN_OR_RETURN(auto record, read_record(line));
  return of_record(std::move(record));
}

std::string last_number(std::string_view text) {
  if (const auto mark = text.rfind("####"); mark != std::string_view::npos) {
    // The first one after it.
    auto rest = text.substr(mark + 4);
    const auto line = rest.substr(0, rest.find('\n'));
    if (line.find_first_of("0123456789") != std::string_view::npos) text = line;
  }
  auto end = text.find_last_of("0123456789");
  if (end == std::string_view::npos) return "";
  auto begin = end;
  const auto continues = [&](char c) { return is_digit(c) || c == ',' || c == '.'; };
  while (begin > 0 && continues(text[begin - 1])) --begin;
  while (!is_digit(text[begin])) ++begin;  // a comma of the sentence before it
  if (begin > 0 && text[begin - 1] == '-') --begin;
  std::string number;
  for (auto i = begin; i <= end; ++i) {
    if (text[i] != ',') number += text[i];
  }
  // 18.00 is 18, and 3.50 is 3.5.
  for (auto point = number.rfind('.'); point != std::string::npos; point = number.rfind('.')) {
    const auto last = number.find_last_not_of('0');
    number.resize(last == point ? point : last + 1);
    if (last != point) break;
  }
  return number;
}

bool is_right(const AnswerItem& item, std::string_view said) {
  if (item.is_number) return last_number(said) == item.answer;
  return trimmed(said) == trimmed(item.answer);
}

}  // namespace plinth::train
