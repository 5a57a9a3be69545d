#include "train/example_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace plinth::train {

namespace {

// What `whole` has after `begin` bytes.
model::RenderedPrompt rest_of(const model::RenderedPrompt& whole, std::size_t begin) {
  model::RenderedPrompt rest{whole.text.substr(begin), {}};
  for (const auto& span : whole.foreign) {
    if (span.end <= begin) continue;
    rest.foreign.push_back({std::max(span.begin, begin) - begin, span.end - begin});
  }
  return rest;
}

bool is_learnt(const base::json::object& message) {
  const auto* role = message.if_contains("role");
  const auto* weight = message.if_contains("weight");
  return role != nullptr && *role == "assistant" && (weight == nullptr || *weight != 0);
}

}  // namespace

ExampleEncoder::ExampleEncoder(const model::Tokenizer& tokenizer,
                               const model::ChatTemplate* chat_template, std::int64_t unix_now)
    : tokenizer_(tokenizer),
      template_(chat_template),
      unix_now_(unix_now),
      reserved_(chat_template == nullptr ? std::vector<model::TokenId>()
                                         : chat_template->reserved_tokens(tokenizer.spec())) {}

std::string ExampleEncoder::text_of(const std::optional<model::TokenId>& id) const {
  return id ? tokenizer_.token_bytes(*id, true) : std::string();
}

absl::StatusOr<Example> ExampleEncoder::encode(const Record& record) const {
  if (const auto* chat = std::get_if<ChatRecord>(&record)) return encode_chat(*chat);
  if (std::holds_alternative<PreferenceRecord>(record)) {
    return base::invalid_argument(
        "it is a preference, which the method dpo, ipo or orpo learns: give it `messages`, or "
        "choose "
        "another method");
  }
  Example example;
  std::string text;
  if (const auto* completion = std::get_if<CompletionRecord>(&record)) {
    ASSIGN_OR_RETURN(
        const auto prompt,
        tokenizer_.encode(completion->prompt, {.add_special = true, .parse_special = true}));
    example.append(prompt, false);
    text = completion->completion;
  } else {
    text = std::get<TextRecord>(record).text;
  }
  const bool begins = example.ids.empty();
  ASSIGN_OR_RETURN(const auto learnt, tokenizer_.encode(text, {.add_special = begins}));
  example.append(learnt, true);
  if (const auto& eos = tokenizer_.spec().eos) example.append({*eos}, true);
  return example;
}

absl::StatusOr<std::pair<Example, Example>> ExampleEncoder::encode_pair(
    const PreferenceRecord& record) const {
  std::pair<Example, Example> pair;
  ASSIGN_OR_RETURN(pair.first, encode_chat(record.preferred));
  ASSIGN_OR_RETURN(pair.second, encode_chat(record.other));
  return pair;
}

absl::StatusOr<model::RenderedPrompt> ExampleEncoder::render(const ChatRecord& chat,
                                                             std::size_t messages,
                                                             bool for_answer) const {
  base::json::object variables;
  base::json::array some(chat.messages.begin(),
                         chat.messages.begin() + static_cast<std::ptrdiff_t>(messages));
  for (auto& message : some) message.get_object().erase("weight");
  variables["messages"] = std::move(some);
  variables["tools"] = chat.tools;
  variables["add_generation_prompt"] = for_answer;
  variables["bos_token"] = text_of(tokenizer_.spec().bos);
  variables["eos_token"] = text_of(tokenizer_.spec().eos);
  return template_->render(variables, unix_now_);
}

// Answers are cut out where the template writes a conversation's beginning as it would be served,
// whatever follows.
absl::StatusOr<std::vector<ExampleEncoder::Piece>> ExampleEncoder::pieces(const ChatRecord& chat,
                                                                          bool every_answer) const {
  std::size_t last = chat.messages.size();
  while (last > 0 && !is_learnt(chat.messages[last - 1].get_object())) --last;
  std::vector<Piece> pieces;
  std::string before;
  const auto add = [&](const model::RenderedPrompt& upto, bool learnt) {
    if (upto.text.compare(0, before.size(), before) != 0) return false;
    pieces.push_back({rest_of(upto, before.size()), learnt});
    before = upto.text;
    return true;
  };
  for (std::size_t i = 0; i < last; ++i) {
    if (!is_learnt(chat.messages[i].get_object()) || (!every_answer && i + 1 != last)) continue;
    ASSIGN_OR_RETURN(const auto prompt, render(chat, i, true));
    ASSIGN_OR_RETURN(const auto answered, render(chat, i + 1, false));
    if (!add(prompt, false) || !add(answered, true)) {
      return base::invalid_argument(
          "the model's chat template writes this conversation in another way once it goes on, so "
          "that its answers cannot be told apart");
    }
  }
  if (pieces.empty())
    return base::invalid_argument("every message of the assistant has weight 0: nothing is learnt");
  return pieces;
}

absl::StatusOr<Example> ExampleEncoder::encode_chat(const ChatRecord& chat) const {
  if (template_ == nullptr) {
    return base::invalid_argument(
        "the model has no chat template: give it `prompt` and `completion`, or `text`");
  }
  auto cut = pieces(chat, true);
  // Templates that shorten what was thought in earlier answers leave the last one as it is.
  if (!cut.ok()) {
    const auto last = pieces(chat, false);
    if (!last.ok()) return cut.status();
    cut = last;
  }
  Example example;
  for (const auto& piece : *cut) RETURN_IF_ERROR(append(piece, example));
  return example;
}

absl::Status ExampleEncoder::append(const Piece& piece, Example& example) const {
  ASSIGN_OR_RETURN(const auto ids,
                   tokenizer_.encode(piece.rendered.text, {.parse_special = true,
                                                           .foreign = piece.rendered.foreign,
                                                           .reserved = reserved_}));
  if (!piece.learnt) {
    example.append(ids, false);
    return absl::OkStatus();
  }
  // The model is done with the token that ends its turn; what the template writes after it is not
  // its own.
  auto end = std::find_if(ids.begin(), ids.end(),
                          [&](auto id) { return tokenizer_.is_end_of_generation(id); });
  if (end != ids.end()) ++end;
  example.append({ids.begin(), end}, true);
  example.append({end, ids.end()}, false);
  return absl::OkStatus();
}

}  // namespace plinth::train
