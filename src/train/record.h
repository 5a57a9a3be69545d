// One line of a file of examples, whatever its format: OpenAI's chats and completions, Alpaca,
// preferences, ShareGPT, plain text.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "base/json.h"
#include "base/status.h"

namespace plinth::train {

// A conversation; what the assistant says in it is learnt.
struct ChatRecord {
  // As chat templates take them: {"role", "content", ...}, contents as text, arguments of calls as
  // objects. An assistant's message may have "weight", 0 or 1.
  base::json::array messages;
  base::json::value tools;  // null, or an array
};

// The completion is learnt.
struct CompletionRecord {
  std::string prompt, completion;
};

// All of it is learnt.
struct TextRecord {
  std::string text;
};

// Two ways on from the same messages, of which the first is to be likelier. Answers before them
// have weight 0.
struct PreferenceRecord {
  ChatRecord preferred, other;
};

using Record = std::variant<ChatRecord, CompletionRecord, TextRecord, PreferenceRecord>;

// The format is what the line's fields say: "messages", "prompt" and "completion", "instruction"
// and "output" (Taori et al., "Alpaca", 2023), "conversations" (ShareGPT), "text"; "input",
// "preferred_output" and "non_preferred_output", or "..._completion" (OpenAI's preferences).
// InvalidArgument names the field and how to mend it; the caller adds the line's number.
absl::StatusOr<Record> read_record(std::string_view line);

}  // namespace plinth::train
