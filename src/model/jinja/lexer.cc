#include "model/jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "model/tokenize/utf8.h"

namespace plinth::model::jinja {

namespace {

bool word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

// Line ends become \n, as Jinja's do, and ill-formed UTF-8 U+FFFD; one newline at the end goes.
std::string prepared(std::string_view source) {
  const std::string text = utf8_repaired(source);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      out += '\n';
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else {
      out += text[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : owned_(prepared(source)), source_(owned_) {}

  absl::StatusOr<std::vector<Token>> run() {
    while (at_ < source_.size()) {
      const auto open = next_tag();
      std::string text(source_.substr(at_, open - at_));
      if (open == std::string_view::npos) text = std::string(source_.substr(at_));
      const char kind = open == std::string_view::npos ? 0 : source_[open + 1];
      const char sign =
          open != std::string_view::npos && open + 2 < source_.size() ? source_[open + 2] : 0;
      push_text(std::move(text), kind, sign);
      if (open == std::string_view::npos) break;
      advance(open + 2 + (sign == '-' || sign == '+' ? 1 : 0));
      if (kind == '%') {
        if (const auto body = keyword_tag(at_, "raw"); body != 0) {
          RETURN_IF_ERROR(raw(body));
          continue;
        }
      }
      RETURN_IF_ERROR(kind == '#' ? comment() : tag(kind == '{'));
    }
    tokens_.push_back({TokenKind::end, "", line_});
    return std::move(tokens_);
  }

 private:
  absl::Status fail(std::string_view what) const {
    return base::invalid_argument(fmt::format("[template] line {}: {}", line_, what));
  }
  std::size_t next_tag() const {
    for (auto i = source_.find('{', at_); i != std::string_view::npos;
         i = source_.find('{', i + 1)) {
      if (i + 1 < source_.size() &&
          std::string_view("{%#").find(source_[i + 1]) != std::string_view::npos)
        return i;
    }
    return std::string_view::npos;
  }
  void advance(std::size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    at_ = to;
  }

  void push_text(std::string text, char kind, char sign) {
    bool line_start = at_ == 0;
    if (strip_left_) {
      std::size_t n = 0;
      while (n < text.size() && space(text[n])) ++n;
      text.erase(0, n);
    } else if (trim_newline_ && text.starts_with("\n")) {
      text.erase(0, 1);
      line_start = true;
    }
    if (sign == '-') {
      while (!text.empty() && space(text.back())) text.pop_back();
    } else if ((kind == '%' || kind == '#') && sign != '+') {
      // lstrip_blocks: blanks between the start of the line and the tag go.
      auto n = text.size();
      while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t')) --n;
      if (n == 0 ? line_start : text[n - 1] == '\n') text.resize(n);
    }
    strip_left_ = trim_newline_ = false;
    if (!text.empty()) tokens_.push_back({TokenKind::text, std::move(text), line_});
  }

  // Where a tag of `keyword` alone that goes on at `at` ends; 0 where there is none.
  std::size_t keyword_tag(std::size_t at, std::string_view keyword) const {
    const auto blanks = [&] {
      while (at < source_.size() && space(source_[at])) ++at;
    };
    blanks();
    if (!source_.substr(at).starts_with(keyword)) return 0;
    at += keyword.size();
    blanks();
    if (at < source_.size() && (source_[at] == '-' || source_[at] == '+')) ++at;
    return source_.substr(at).starts_with("%}") ? at + 2 : 0;
  }

  // {% raw %}: text until {% endraw %}, tags and all.
  absl::Status raw(std::size_t body) {
    // The one tag after which a newline stays.
    strip_left_ = source_[body - 3] == '-';
    advance(body);
    for (auto open = source_.find("{%", at_); open != std::string_view::npos;
         open = source_.find("{%", open + 2)) {
      const char sign = open + 2 < source_.size() ? source_[open + 2] : 0;
      const auto end = keyword_tag(open + (sign == '-' || sign == '+' ? 3 : 2), "endraw");
      if (end == 0) continue;
      push_text(std::string(source_.substr(at_, open - at_)), '%', sign);
      strip_left_ = source_[end - 3] == '-';
      trim_newline_ = source_[end - 3] != '+';
      advance(end);
      return absl::OkStatus();
    }
    return fail("raw is not closed");
  }

  absl::Status comment() {
    const auto close = source_.find("#}", at_);
    if (close == std::string_view::npos) return fail("comment is not closed");
    strip_left_ = close > at_ && source_[close - 1] == '-';
    trim_newline_ = !(close > at_ && source_[close - 1] == '+');
    advance(close + 2);
    return absl::OkStatus();
  }

  absl::Status tag(bool output) {
    tokens_.push_back({output ? TokenKind::output_begin : TokenKind::block_begin, "", line_});
    const std::string_view closing = output ? "}}" : "%}";
    int nesting = 0;
    while (true) {
      while (at_ < source_.size() && space(source_[at_])) advance(at_ + 1);
      const std::string_view rest = source_.substr(at_);
      if (rest.empty()) return fail("tag is not closed");
      const bool sign = rest[0] == '-' || rest[0] == '+';
      if (nesting == 0 && rest.substr(sign ? 1 : 0).starts_with(closing)) {
        strip_left_ = rest[0] == '-';
        trim_newline_ = !output && rest[0] != '+';
        tokens_.push_back({output ? TokenKind::output_end : TokenKind::block_end, "", line_});
        advance(at_ + 2 + (sign ? 1 : 0));
        return absl::OkStatus();
      }
      RETURN_IF_ERROR(one_token(rest, nesting));
    }
  }

  absl::Status one_token(std::string_view rest, int& nesting) {
    const char c = rest[0];
    std::size_t n = 0;
    if (std::isdigit(static_cast<unsigned char>(c))) {
      bool real = false;
      while (n < rest.size() &&
             (std::isdigit(static_cast<unsigned char>(rest[n])) || rest[n] == '_' ||
              (rest[n] == '.' && !real && n + 1 < rest.size() &&
               std::isdigit(static_cast<unsigned char>(rest[n + 1]))))) {
        real = real || rest[n] == '.';
        ++n;
      }
      std::string digits(rest.substr(0, n));
      std::erase(digits, '_');
      if (digits.size() > 18) return fail("number is too long");
      std::size_t exponent = n;
      if (exponent < rest.size() && (rest[exponent] | 32) == 'e') {
        ++exponent;
        if (exponent < rest.size() && (rest[exponent] == '-' || rest[exponent] == '+')) ++exponent;
        const auto first = exponent;
        while (exponent < rest.size() && std::isdigit(static_cast<unsigned char>(rest[exponent])) &&
               exponent - first < 3)
          ++exponent;
        if (exponent > first) {
          digits += rest.substr(n, exponent - n);
          real = true;
          n = exponent;
        }
      }
      tokens_.push_back({real ? TokenKind::real : TokenKind::integer, digits, line_});
    } else if (word(c)) {
      while (n < rest.size() && word(rest[n])) ++n;
      tokens_.push_back({TokenKind::name, std::string(rest.substr(0, n)), line_});
    } else if (c == '\'' || c == '"') {
      return string_token(rest);
    } else {
      static constexpr std::string_view kLong[] = {"**", "//", "==", "!=", "<=", ">="};
      n = 1;
      for (const auto symbol : kLong) {
        if (rest.starts_with(symbol)) n = 2;
      }
      if (std::string_view("+-*/%~<>=!.,:|()[]{}").find(c) == std::string_view::npos) {
        return fail(fmt::format("unexpected character '{}'", c));
      }
      if (c == '(' || c == '[' || c == '{') ++nesting;
      if (c == ')' || c == ']' || c == '}') --nesting;
      tokens_.push_back({TokenKind::symbol, std::string(rest.substr(0, n)), line_});
    }
    advance(at_ + n);
    return absl::OkStatus();
  }

  absl::Status string_token(std::string_view rest) {
    std::string out;
    std::size_t i = 1;
    for (; i < rest.size() && rest[i] != rest[0]; ++i) {
      if (rest[i] != '\\' || i + 1 >= rest.size()) {
        out += rest[i];
        continue;
      }
      const char escape = rest[++i];
      switch (escape) {
        case 'n':
          out += '\n';
          break;
        case 't':
          out += '\t';
          break;
        case 'r':
          out += '\r';
          break;
        case 'b':
          out += '\b';
          break;
        case 'f':
          out += '\f';
          break;
        case 'v':
          out += '\v';
          break;
        case 'a':
          out += '\a';
          break;
        case '\n':
          break;
        case 'x':
        case 'u': {
          const std::size_t digits = escape == 'x' ? 2 : 4;
          const std::string hex(rest.substr(i + 1, digits));
          if (hex.size() != digits ||
              hex.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
            return fail("bad escape in string");
          }
          const auto code = static_cast<std::uint32_t>(std::stoul(hex, nullptr, 16));
          if (code >= 0xD800 && code < 0xE000) return fail("surrogate in string");
          append_utf8(out, code);
          i += digits;
          break;
        }
        case '\\':
        case '\'':
        case '"':
          out += escape;
          break;
        default:
          out += std::string("\\") + escape;
      }
    }
    if (i >= rest.size()) return fail("string is not closed");
    tokens_.push_back({TokenKind::string, std::move(out), line_});
    advance(at_ + i + 1);
    return absl::OkStatus();
  }

  const std::string owned_;
  const std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool strip_left_ = false, trim_newline_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

absl::StatusOr<std::vector<Token>> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace plinth::model::jinja
