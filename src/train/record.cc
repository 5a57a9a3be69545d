#include "train/record.h"

#include <fmt/format.h>

#include <map>

#include "train/limits.h"

namespace plinth::train {

namespace {

using base::json::array;
using base::json::object;
using base::json::value;

absl::StatusOr<std::string> text_of(const object& from, std::string_view field,
                                    const std::string& path) {
  const auto* found = from.if_contains(field);
  if (found == nullptr) return base::invalid_argument(fmt::format("`{}` is missing", path));
  if (!found->is_string())
    return base::invalid_argument(fmt::format("`{}` is not text: write it as a string", path));
  return std::string(found->get_string());
}

// Text, or a list of parts of text.
absl::StatusOr<std::string> content_of(const value& content, const std::string& path) {
  if (content.is_string()) return std::string(content.get_string());
  if (content.is_null()) return std::string();
  if (!content.is_array())
    return base::invalid_argument(fmt::format("`{}` is neither text nor a list of parts", path));
  std::string text;
  for (std::size_t i = 0; i < content.get_array().size(); ++i) {
    const auto* part = content.get_array()[i].if_object();
    const auto* said = part == nullptr ? nullptr : part->if_contains("text");
    if (said == nullptr || !said->is_string()) {
      return base::invalid_argument(
          fmt::format("`{}[{}]` is no part of text: only text can be learnt", path, i));
    }
    text += std::string_view(said->get_string());
  }
  return text;
}

absl::Status read_calls(object& message, const std::string& path) {
  auto* calls = message.if_contains("tool_calls");
  if (calls == nullptr || calls->is_null()) return absl::OkStatus();
  if (!calls->is_array())
    return base::invalid_argument(fmt::format("`{}.tool_calls` is no list", path));
  for (std::size_t i = 0; i < calls->get_array().size(); ++i) {
    const auto place = fmt::format("{}.tool_calls[{}].function", path, i);
    auto* call = calls->get_array()[i].if_object();
    auto* function = call == nullptr ? nullptr : call->if_contains("function");
    if (function == nullptr || !function->is_object())
      return base::invalid_argument(fmt::format("`{}` is missing", place));
    RETURN_IF_ERROR(text_of(function->get_object(), "name", place + ".name").status());
    auto& arguments = function->get_object()["arguments"];
    if (arguments.is_object()) continue;
    if (!arguments.is_string())
      return base::invalid_argument(fmt::format("`{}.arguments` is missing", place));
    const auto parsed = base::parse_json(std::string_view(arguments.get_string()));
    if (!parsed.ok() || !parsed->is_object()) {
      return base::invalid_argument(
          fmt::format("`{}.arguments` is no JSON object, written as text", place));
    }
    arguments = *parsed;
  }
  return absl::OkStatus();
}

// An assistant's weight is 0 or 1; others have none.
absl::Status check_weight(const object& message, bool is_assistant, const std::string& path) {
  const auto* weight = message.if_contains("weight");
  if (weight == nullptr || weight->is_null()) return absl::OkStatus();
  if (!is_assistant) {
    return base::invalid_argument(
        fmt::format("`{}.weight` is for messages of the assistant alone: leave it out", path));
  }
  if (!weight->is_number() || (*weight != 0 && *weight != 1))
    return base::invalid_argument(fmt::format("`{}.weight` must be 0 or 1", path));
  return absl::OkStatus();
}

absl::Status read_message(value& stored, const std::string& path, bool& has_assistant) {
  if (!stored.is_object()) return base::invalid_argument(fmt::format("`{}` is no object", path));
  auto& message = stored.get_object();
  ASSIGN_OR_RETURN(auto role, text_of(message, "role", path + ".role"));
  if (role == "developer") message["role"] = role = "system";
  if (role != "system" && role != "user" && role != "assistant" && role != "tool") {
    return base::invalid_argument(
        fmt::format("`{}.role` is \"{}\": system, user, assistant and tool are known", path, role));
  }
  const bool is_assistant = role == "assistant";
  RETURN_IF_ERROR(check_weight(message, is_assistant, path));
  RETURN_IF_ERROR(read_calls(message, path));
  ASSIGN_OR_RETURN(const auto text, content_of(message["content"], path + ".content"));
  const auto* calls = message.if_contains("tool_calls");
  const bool has_calls = calls != nullptr && calls->is_array() && !calls->get_array().empty();
  if (text.empty() && !has_calls) {
    return base::invalid_argument(
        fmt::format("`{}.content` is empty{}", path,
                    is_assistant ? ": there is nothing to learn; write an answer or leave the "
                                   "message out"
                                 : ""));
  }
  message["content"] = text;
  has_assistant |= is_assistant;
  return absl::OkStatus();
}

absl::StatusOr<Record> read_chat(object& line) {
  ChatRecord record;
  auto& messages = line["messages"];
  if (!messages.is_array() || messages.get_array().empty())
    return base::invalid_argument("`messages` is no list of messages");
  if (messages.get_array().size() > kMessagesMax) {
    return base::invalid_argument(fmt::format("`messages` has {} messages, over the limit of {}",
                                              messages.get_array().size(), kMessagesMax));
  }
  bool has_assistant = false;
  for (std::size_t i = 0; i < messages.get_array().size(); ++i) {
    RETURN_IF_ERROR(
        read_message(messages.get_array()[i], fmt::format("messages[{}]", i), has_assistant));
  }
  if (!has_assistant) {
    return base::invalid_argument(
        "`messages` has no message of the assistant: there is nothing to learn; end with one");
  }
  if (auto* tools = line.if_contains("tools"); tools != nullptr && !tools->is_null()) {
    if (!tools->is_array()) return base::invalid_argument("`tools` is no list");
    record.tools = *tools;
  }
  record.messages = std::move(messages.get_array());
  return Record(std::move(record));
}

absl::StatusOr<Record> read_completion(const object& line) {
  CompletionRecord record;
  ASSIGN_OR_RETURN(record.prompt, text_of(line, "prompt", "prompt"));
  ASSIGN_OR_RETURN(record.completion, text_of(line, "completion", "completion"));
  if (record.completion.empty())
    return base::invalid_argument("`completion` is empty: there is nothing to learn");
  return Record(std::move(record));
}

value message_of(std::string_view role, std::string_view content) {
  return object{{"role", role}, {"content", content}};
}

absl::StatusOr<Record> read_alpaca(const object& line) {
  ASSIGN_OR_RETURN(auto prompt, text_of(line, "instruction", "instruction"));
  if (const auto* input = line.if_contains("input"); input != nullptr && !input->is_null()) {
    ASSIGN_OR_RETURN(const auto more, text_of(line, "input", "input"));
    if (!more.empty()) prompt += "\n\n" + more;
  }
  ASSIGN_OR_RETURN(const auto answer, text_of(line, "output", "output"));
  if (prompt.empty()) return base::invalid_argument("`instruction` is empty");
  if (answer.empty()) return base::invalid_argument("`output` is empty: there is nothing to learn");
  ChatRecord record;
  record.messages = {message_of("user", prompt), message_of("assistant", answer)};
  return Record(std::move(record));
}

absl::StatusOr<Record> read_sharegpt(object& line) {
  static const std::map<std::string, std::string, std::less<>> kRoles = {
      {"system", "system"}, {"human", "user"},          {"user", "user"},
      {"gpt", "assistant"}, {"assistant", "assistant"}, {"chatgpt", "assistant"}};
  const auto& turns = line["conversations"];
  if (!turns.is_array()) return base::invalid_argument("`conversations` is no list");
  array messages;
  for (std::size_t i = 0; i < turns.get_array().size(); ++i) {
    const auto path = fmt::format("conversations[{}]", i);
    const auto* turn = turns.get_array()[i].if_object();
    if (turn == nullptr) return base::invalid_argument(fmt::format("`{}` is no object", path));
    ASSIGN_OR_RETURN(const auto from, text_of(*turn, "from", path + ".from"));
    ASSIGN_OR_RETURN(const auto said, text_of(*turn, "value", path + ".value"));
    const auto role = kRoles.find(from);
    if (role == kRoles.end()) {
      return base::invalid_argument(
          fmt::format("`{}.from` is \"{}\": system, human and gpt are known", path, from));
    }
    messages.push_back(message_of(role->second, said));
  }
  object chat{{"messages", std::move(messages)}};
  return read_chat(chat);
}

// Messages after those of `input`, as a chat of both.
absl::StatusOr<ChatRecord> read_side(const object& line, const object& input,
                                     std::string_view side) {
  auto field = fmt::format("{}_output", side);
  if (!line.contains(field) && line.contains(fmt::format("{}_completion", side)))
    field = fmt::format("{}_completion", side);
  const auto* outputs = line.if_contains(field);
  if (outputs == nullptr || !outputs->is_array() || outputs->get_array().empty()) {
    return base::invalid_argument(
        fmt::format("`{}` is no list of messages: give it one message of the assistant", field));
  }
  ChatRecord record;
  for (auto message : input.at("messages").get_array()) {
    // What comes before is not what is preferred.
    if (auto* fields = message.if_object();
        fields != nullptr && fields->contains("role") && fields->at("role") == "assistant") {
      (*fields)["weight"] = 0;
    }
    record.messages.push_back(std::move(message));
  }
  bool has_assistant = false;
  for (std::size_t i = 0; i < record.messages.size(); ++i) {
    bool unused = false;
    RETURN_IF_ERROR(read_message(record.messages[i], fmt::format("input.messages[{}]", i), unused));
  }
  for (std::size_t i = 0; i < outputs->get_array().size(); ++i) {
    auto message = outputs->get_array()[i];
    RETURN_IF_ERROR(read_message(message, fmt::format("{}[{}]", field, i), has_assistant));
    record.messages.push_back(std::move(message));
  }
  if (!has_assistant) {
    return base::invalid_argument(
        fmt::format("`{}` has no message of the assistant: end with one", field));
  }
  if (const auto* tools = input.if_contains("tools"); tools != nullptr && !tools->is_null()) {
    if (!tools->is_array()) return base::invalid_argument("`input.tools` is no list");
    record.tools = *tools;
  }
  return record;
}

absl::StatusOr<Record> read_preference(const object& line) {
  const auto* stored = line.if_contains("input");
  const auto* input = stored == nullptr ? nullptr : stored->if_object();
  if (input == nullptr)
    return base::invalid_argument(
        "`input` is no object: give it the `messages` before the answers");
  const auto* messages = input->if_contains("messages");
  if (messages == nullptr || !messages->is_array() || messages->get_array().empty())
    return base::invalid_argument("`input.messages` is no list of messages");
  if (messages->get_array().size() > kMessagesMax) {
    return base::invalid_argument(
        fmt::format("`input.messages` has {} messages, over the limit of {}",
                    messages->get_array().size(), kMessagesMax));
  }
  PreferenceRecord record;
  ASSIGN_OR_RETURN(record.preferred, read_side(line, *input, "preferred"));
  ASSIGN_OR_RETURN(record.other, read_side(line, *input, "non_preferred"));
  if (record.preferred.messages == record.other.messages) {
    return base::invalid_argument(
        "`preferred_output` and `non_preferred_output` are the same: there is nothing to prefer");
  }
  return Record(std::move(record));
}

bool is_preference(const object& line) {
  for (const auto* field : {"preferred_output", "preferred_completion", "non_preferred_output",
                            "non_preferred_completion"}) {
    if (line.contains(field)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<Record> read_record(std::string_view line) {
  if (line.size() > kLineBytesMax) {
    return base::invalid_argument(
        fmt::format("the line has {} bytes, over the limit of {}", line.size(), kLineBytesMax));
  }
  auto parsed = base::parse_json(line, {.bytes_max = kLineBytesMax});
  if (!parsed.ok())
    return base::invalid_argument(fmt::format("it is no JSON: {}", base::message(parsed.status())));
  auto* fields = parsed->if_object();
  if (fields == nullptr) return base::invalid_argument("it is no JSON object");
  if (is_preference(*fields)) return read_preference(*fields);
  if (fields->contains("messages")) return read_chat(*fields);
  if (fields->contains("conversations")) return read_sharegpt(*fields);
  if (fields->contains("instruction")) return read_alpaca(*fields);
  if (fields->contains("completion")) return read_completion(*fields);
  if (fields->contains("text")) {
    TextRecord record;
    ASSIGN_OR_RETURN(record.text, text_of(*fields, "text", "text"));
    if (record.text.empty())
      return base::invalid_argument("`text` is empty: there is nothing to learn");
    return Record(std::move(record));
  }
  return base::invalid_argument(
      "none of `messages`, `prompt` and `completion`, `instruction` and `output`, "
      "`conversations`, `text`, `input` and `preferred_output` is there");
}

}  // namespace plinth::train
