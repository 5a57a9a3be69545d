#include "api/openai/token_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/json.h"

namespace plinth::api {

namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

template <typename List, typename Write>
void append_list(std::string& out, const List& list, Write write) {
  out += '[';
  bool first = true;
  for (const auto& entry : list) {
    if (!first) out += ',';
    first = false;
    write(entry);
  }
  out += ']';
}

// {"token":...,"logprob":...,"bytes":[...] without the closing brace.
void open_chat_token(std::string& out, const protocol::TokenLogprob& token) {
  out += R"({"token":)";
  base::append_json_string(out, is_utf8(token.bytes) ? token.bytes : kReplacement);
  out += R"(,"logprob":)";
  append_logprob(out, token.logprob);
  out += R"(,"bytes":)";
  append_list(out, token.bytes, [&](char c) {
    fmt::format_to(std::back_inserter(out), "{}", static_cast<unsigned char>(c));
  });
}

std::string completion_token(std::string_view bytes) {
  if (is_utf8(bytes)) return std::string(bytes);
  std::string text = "bytes:";
  for (const char c : bytes)
    fmt::format_to(std::back_inserter(text), "\\x{:02x}", static_cast<unsigned char>(c));
  return text;
}

// Two tokens may have the same text, and a JSON key stands once: the likelier one keeps it.
void append_top(std::string& out, const protocol::PositionLogprobs& position) {
  if (!position.chosen.has_logprob) {
    out += "null";
    return;
  }
  std::vector<std::string> written;
  out += '{';
  const auto write = [&](const protocol::TokenLogprob& token) {
    std::string text = completion_token(token.bytes);
    if (std::find(written.begin(), written.end(), text) != written.end()) return;
    if (!written.empty()) out += ',';
    base::append_json_string(out, text);
    out += ':';
    append_logprob(out, token.logprob);
    written.push_back(std::move(text));
  };
  for (const auto& token : position.top) write(token);
  write(position.chosen);
  out += '}';
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xC2 && lead < 0xE0 ? 2
                               : (lead & 0xF0) == 0xE0       ? 3
                               : lead >= 0xF0 && lead < 0xF5 ? 4
                                                             : 0;
    if (length == 0 || i + length > bytes.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if (!is_continuation(bytes[i + k])) return false;
    }
    if (length > 2) {
      // Overlong forms, surrogates and what lies past U+10FFFF (RFC 3629, section 4).
      const auto second = static_cast<unsigned char>(bytes[i + 1]);
      if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
          (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
        return false;
    }
    i += length;
  }
  return true;
}

void append_logprob(std::string& out, float logprob) {
  if (std::isfinite(logprob))
    fmt::format_to(std::back_inserter(out), "{}", logprob);
  else
    out += "-9999.0";
}

void append_chat_logprobs(std::string& out,
                          const std::vector<protocol::PositionLogprobs>& positions) {
  out += R"({"content":)";
  append_list(out, positions, [&](const protocol::PositionLogprobs& position) {
    open_chat_token(out, position.chosen);
    out += R"(,"top_logprobs":)";
    append_list(out, position.top, [&](const protocol::TokenLogprob& token) {
      open_chat_token(out, token);
      out += '}';
    });
    out += '}';
  });
  out += R"(,"refusal":null})";
}

void append_completion_logprobs(std::string& out,
                                const std::vector<protocol::PositionLogprobs>& positions,
                                std::size_t& characters) {
  using Position = protocol::PositionLogprobs;
  out += R"({"tokens":)";
  append_list(out, positions, [&](const Position& position) {
    base::append_json_string(out, completion_token(position.chosen.bytes));
  });
  out += R"(,"token_logprobs":)";
  append_list(out, positions, [&](const Position& position) {
    if (position.chosen.has_logprob)
      append_logprob(out, position.chosen.logprob);
    else
      out += "null";
  });
  out += R"(,"top_logprobs":)";
  append_list(out, positions, [&](const Position& position) { append_top(out, position); });
  out += R"(,"text_offset":)";
  append_list(out, positions, [&](const Position& position) {
    const std::string& bytes = position.chosen.bytes;
    // A token that goes on with a character begins where that character does.
    const bool inside = !bytes.empty() && is_continuation(bytes[0]) && characters > 0;
    fmt::format_to(std::back_inserter(out), "{}", characters - (inside ? 1 : 0));
    characters += static_cast<std::size_t>(
        std::count_if(bytes.begin(), bytes.end(), [](char c) { return !is_continuation(c); }));
  });
  out += '}';
}

}  // namespace plinth::api
