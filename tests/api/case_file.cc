#include "case_file.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "model_script.h"

namespace plinth::tests {

namespace {

using Lets = std::map<std::string, base::json::value, std::less<>>;

absl::StatusOr<base::json::value> evaluate(std::string_view text, const Lets& lets) {
  const auto trim = [](std::string_view part) {
    while (!part.empty() && std::isspace(static_cast<unsigned char>(part.front())))
      part.remove_prefix(1);
    while (!part.empty() && std::isspace(static_cast<unsigned char>(part.back())))
      part.remove_suffix(1);
    return part;
  };
  text = trim(text);
  std::size_t length = 0;
  while (length < text.size() &&
         (std::islower(static_cast<unsigned char>(text[length])) || text[length] == '_'))
    ++length;
  const auto base = lets.find(text.substr(0, length));
  if (base == lets.end()) return base::parse_json(text);
  auto value = base->second;
  text = trim(text.substr(length));
  if (text.empty()) return value;
  if (text.front() != '+') return base::invalid_argument("expected + after the name of a let");
  ASSIGN_OR_RETURN(const auto changes, evaluate(text.substr(1), lets));
  if (!value.is_object() || !changes.is_object())
    return base::invalid_argument("+ joins objects alone");
  for (const auto& [key, part] : changes.get_object()) {
    if (part == "<absent>")
      value.get_object().erase(key);
    else
      value.get_object()[key] = part;
  }
  return value;
}

// raw TEXT with \xNN; `spaces N`; else a JSON expression.
absl::StatusOr<std::string> request_body(const std::string& text, const Lets& lets) {
  if (text.starts_with("spaces ")) return std::string(std::stoul(text.substr(7)), ' ');
  if (!text.starts_with("raw ")) {
    ASSIGN_OR_RETURN(const auto value, evaluate(text, lets));
    return base::to_json(value);
  }
  std::string out;
  for (std::size_t i = 4; i < text.size(); ++i) {
    unsigned char byte = 0;
    if (text.compare(i, 2, "\\x") == 0 &&
        std::from_chars(text.data() + i + 2, text.data() + std::min(i + 4, text.size()), byte, 16)
                .ptr == text.data() + i + 4) {
      out += static_cast<char>(byte);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// What the lines that follow a directive belong to.
enum class Block { none, let, body, asked, expected, data };

class Reader {
 public:
  explicit Reader(CaseFile& file) : file_(file) {}

  absl::Status line(int number, const std::string& text) {
    if (text.starts_with("# group: ")) file_.group = text.substr(9);
    if (text.empty() || text.starts_with('#')) return absl::OkStatus();
    const std::size_t space = text.find(' ');
    const std::string word = text.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : text.substr(space + 1);
    if (word == "let") {
      RETURN_IF_ERROR(close());
      block_ = Block::let;
      const std::size_t gap = rest.find(' ');
      let_ = rest.substr(0, gap);
      pending_ = gap == std::string::npos ? "" : rest.substr(gap + 1);
      return absl::OkStatus();
    }
    if (text == "server ignores unknown fields") {
      file_.ignore_unknown_fields = true;
      return absl::OkStatus();
    }
    if (word == "case") {
      RETURN_IF_ERROR(close());
      file_.cases.emplace_back();
      file_.cases.back().name = rest;
      file_.cases.back().line = number;
      return absl::OkStatus();
    }
    if (file_.cases.empty() || block_ == Block::let) {
      pending_ += "\n" + text;
      return absl::OkStatus();
    }
    return of_case(file_.cases.back(), word, rest, text);
  }

  absl::Status close() {
    const std::string text = std::exchange(pending_, "");
    const Block block = std::exchange(block_, Block::none);
    if (block == Block::none || text.empty()) return absl::OkStatus();
    if (block == Block::let) {
      ASSIGN_OR_RETURN(lets_[let_], evaluate(text, lets_));
      return absl::OkStatus();
    }
    auto& one = file_.cases.back();
    switch (block) {
      case Block::body: {
        ASSIGN_OR_RETURN(one.body, request_body(text, lets_));
        break;
      }
      case Block::asked: {
        ASSIGN_OR_RETURN(auto value, evaluate(text, lets_));
        one.asked.push_back(std::move(value));
        break;
      }
      case Block::expected: {
        if (text.starts_with("text ")) {
          one.expected_text = text.substr(5);
          break;
        }
        ASSIGN_OR_RETURN(one.expected_body, evaluate(text, lets_));
        break;
      }
      case Block::data: {
        if (text == "..." || text == "[DONE]") {
          one.expected_events.push_back(text == "..." ? "" : text);
          break;
        }
        ASSIGN_OR_RETURN(const auto value, evaluate(text, lets_));
        one.expected_events.push_back(base::to_json(value));
        break;
      }
      case Block::none:
      case Block::let:
        break;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status of_case(ApiCase& one, const std::string& word, const std::string& rest,
                       const std::string& text) {
    if (word == ">" || word == "<") {
      RETURN_IF_ERROR(close());
      block_ = word == ">" ? Block::body : Block::expected;
      return exchange_line(one, word == ">", rest);
    }
    if (word == "model") {
      RETURN_IF_ERROR(close());
      return add_model_line(rest, one.scripts);
    }
    if (word == "asked" || word == "data") {
      RETURN_IF_ERROR(close());
      if (text == "asked nothing") {
        one.asked_nothing = true;
        return absl::OkStatus();
      }
      block_ = word == "asked" ? Block::asked : Block::data;
      pending_ = rest;
      return absl::OkStatus();
    }
    if (word == "keep") {
      RETURN_IF_ERROR(close());
      const std::size_t gap = rest.find(' ');
      if (gap == std::string::npos) return base::invalid_argument("expected keep NAME /POINTER");
      one.kept.emplace_back(rest.substr(0, gap), rest.substr(gap + 1));
      return absl::OkStatus();
    }
    if (word == "leave" || word == "cancelled" || word == "loading") {
      RETURN_IF_ERROR(close());
      if (word == "leave") one.leave_after_events = std::stoi(rest);
      if (word == "cancelled") one.cancelled = std::stoi(rest);
      if (word == "loading") one.loading = true;
      return absl::OkStatus();
    }
    if (block_ == Block::none) return base::invalid_argument("unknown directive: " + word);
    pending_ += (pending_.empty() ? "" : "\n") + text;
    return absl::OkStatus();
  }

  static absl::Status exchange_line(ApiCase& one, bool request, const std::string& rest) {
    const std::size_t colon = rest.find(": ");
    if (colon != std::string::npos) {
      auto& headers = request ? one.headers : one.expected_headers;
      headers.emplace_back(rest.substr(0, colon), rest.substr(colon + 2));
      return absl::OkStatus();
    }
    if (!request) {
      one.status = std::stoi(rest);
      return absl::OkStatus();
    }
    const std::size_t space = rest.find(' ');
    if (space == std::string::npos) return base::invalid_argument("expected > METHOD PATH");
    one.method = rest.substr(0, space);
    one.path = rest.substr(space + 1);
    return absl::OkStatus();
  }

  CaseFile& file_;
  Lets lets_;
  Block block_ = Block::none;
  std::string let_, pending_;
};

}  // namespace

absl::StatusOr<CaseFile> read_case_file(const std::string& path) {
  std::ifstream in(path);
  if (!in) return base::not_found("cannot read " + path);
  CaseFile file;
  Reader reader(file);
  int number = 0;
  for (std::string text; std::getline(in, text);) {
    if (const auto status = reader.line(++number, text); !status.ok())
      return base::annotate(status, fmt::format("{}:{}", path, number));
  }
  if (const auto status = reader.close(); !status.ok())
    return base::annotate(status, fmt::format("{}:{}", path, number));
  if (file.group.empty()) return base::invalid_argument(path + ": has no line `# group: NAME`");
  for (const auto& one : file.cases) {
    if (one.method.empty() || (one.status == 0 && !one.leave_after_events))
      return base::invalid_argument(
          fmt::format("{}:{}: a case needs > METHOD PATH and < STATUS", path, one.line));
  }
  return file;
}

}  // namespace plinth::tests
