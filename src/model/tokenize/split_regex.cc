#include "model/tokenize/split_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <utility>

#include "model/limits.h"
#include "model/tokenize/unicode.h"

namespace plinth::model {

namespace {

struct Deleter {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
};

absl::Status refused(const std::string& expression, std::string_view why) {
  return base::invalid_argument(
      fmt::format("[tokenizer] expression \"{}\": {}", expression.substr(0, 200), why));
}

// What Oniguruma reads in another way than PCRE2: verbs, callouts, hexadecimal digits as \h,
// dot-all as (?m), sets within sets.
absl::Status check_dialect(const std::string& expression) {
  bool in_class = false;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const std::string_view rest = std::string_view(expression).substr(i);
    if (rest.starts_with("\\")) {
      if (rest.size() > 1 && std::string_view("hHKRXCGQE").find(rest[1]) != std::string_view::npos)
        return refused(expression, fmt::format("\\{} at byte {} is not supported", rest[1], i));
      ++i;
    } else if (in_class) {
      if (rest.starts_with("&&")) return refused(expression, "&& is not supported");
      if (rest[0] == '[' && !rest.starts_with("[:"))
        return refused(expression, fmt::format("set within a set at byte {}", i));
      if (rest.starts_with("[:")) i = std::min(expression.find(":]", i), expression.size()) + 1;
      if (rest[0] == ']') in_class = false;
    } else if (rest[0] == '[') {
      in_class = true;
      if (rest.starts_with("[]") || rest.starts_with("[^]"))
        return refused(expression, "empty set");
    } else if (rest.starts_with("(*") || rest.starts_with("(?C") || rest.starts_with("(?R") ||
               rest.starts_with("(?m")) {
      return refused(expression,
                     fmt::format("{} at byte {} is not supported", rest.substr(0, 3), i));
    }
  }
  return absl::OkStatus();
}

}  // namespace

struct SplitRegex::Impl {
  std::unique_ptr<pcre2_code, Deleter> code;
  std::unique_ptr<pcre2_match_context, Deleter> context;
  std::string expression;
};

SplitRegex::SplitRegex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SplitRegex::SplitRegex(SplitRegex&&) noexcept = default;
SplitRegex::~SplitRegex() = default;

absl::StatusOr<SplitRegex> SplitRegex::compile(const std::string& expression) {
  if (expression.size() > kExpressionBytesMax) {
    return base::invalid_argument(fmt::format("[tokenizer] expression of {} bytes is over {}",
                                              expression.size(), kExpressionBytesMax));
  }
  RETURN_IF_ERROR(check_dialect(expression));
  auto impl = std::make_unique<Impl>();
  impl->expression = expression;
  int error = 0;
  PCRE2_SIZE where = 0;
  // Oniguruma's ^ and $ are those of lines.
  impl->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &where, nullptr));
  if (impl->code == nullptr) {
    PCRE2_UCHAR text[128] = {};
    pcre2_get_error_message(error, text, sizeof text);
    return refused(expression,
                   fmt::format("{} at byte {}", reinterpret_cast<const char*>(text), where));
  }
  // Without JIT support the interpreter gives the same matches.
  pcre2_jit_compile(impl->code.get(), PCRE2_JIT_COMPLETE);
  impl->context.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(impl->context.get(), kMatchStepsMax);
  pcre2_set_heap_limit(impl->context.get(), kMatchHeapKibMax);
  return SplitRegex(std::move(impl));
}

absl::Status SplitRegex::for_each(
    std::string_view text, const std::function<void(std::size_t, std::size_t)>& visit) const {
  const std::unique_ptr<pcre2_match_data, Deleter> match(
      pcre2_match_data_create_from_pattern(impl_->code.get(), nullptr));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::size_t at = 0;
  while (at <= text.size() && !text.empty()) {
    std::uint32_t options = PCRE2_NO_UTF_CHECK;
    int found = pcre2_match(impl_->code.get(), subject, text.size(), at, options, match.get(),
                            impl_->context.get());
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
      options |= PCRE2_NO_JIT;
      found = pcre2_match(impl_->code.get(), subject, text.size(), at, options, match.get(),
                          impl_->context.get());
    }
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found <= 0) {
      return base::resource_exhausted(
          fmt::format("[tokenizer] expression \"{}\" takes too many steps at byte {} of the text",
                      impl_->expression.substr(0, 200), at));
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
    // \K or a lookbehind cannot make a match begin before the last one ended.
    if (range[0] < at || range[1] < range[0]) break;
    visit(range[0], range[1]);
    at = range[1];
    if (range[0] == range[1]) {
      if (at == text.size()) break;
      at += first_character(text.substr(at)).bytes;
    }
  }
  return absl::OkStatus();
}

}  // namespace plinth::model
