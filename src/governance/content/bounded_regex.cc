#include "governance/content/bounded_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "governance/content/normalizer.h"
#include "governance/content/utf8.h"
#include "governance/content_limits.h"

namespace plinth::governance {

namespace {

struct Deleter {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
};

absl::Status refused(std::string_view pattern, std::string_view why, std::size_t where) {
  return base::invalid_argument(
      fmt::format("[content policy] regex \"{}\": {} at byte {}", pattern, why, where));
}

// Also refuses some harmless ones, such as "(*" within a set: a backslash helps.
absl::Status check_dialect(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view rest = pattern.substr(i);
    if (rest.starts_with("\\")) {
      if (rest.size() > 1 && std::string_view("GKCQ").find(rest[1]) != std::string_view::npos)
        return refused(pattern, fmt::format("\\{} is not supported", rest[1]), i);
      ++i;
    } else if (rest.starts_with("(*") || rest.starts_with("(?C")) {
      return refused(pattern, "verbs and callouts are not supported", i);
    }
  }
  return absl::OkStatus();
}

// The pattern with its characters outside ASCII as they stand in normalised text.
struct Source {
  std::string text;
  std::vector<std::size_t> origins;  // [text.size() + 1] bytes of the pattern
};

absl::StatusOr<Source> normalize_source(std::string_view pattern) {
  Source source;
  for (std::size_t i = 0; i < pattern.size();) {
    const Utf8Char next = first_utf8(pattern.substr(i));
    if (next.read != Utf8Read::valid) return refused(pattern, "no valid UTF-8", i);
    if (next.bytes == 1) {
      source.text += pattern[i];
    } else {
      for (const char32_t code : normalized(pattern.substr(i, next.bytes))) {
        append_utf8(source.text, code);
      }
    }
    source.origins.resize(source.text.size(), i);
    i += next.bytes;
  }
  source.origins.push_back(pattern.size());
  return source;
}

}  // namespace

struct RegexScratch::Impl {
  std::unique_ptr<pcre2_match_data, Deleter> match{pcre2_match_data_create(1, nullptr)};
};

RegexScratch::RegexScratch() : impl_(std::make_unique<Impl>()) {}
RegexScratch::RegexScratch(RegexScratch&&) noexcept = default;
RegexScratch::~RegexScratch() = default;

struct BoundedRegex::Impl {
  std::string pattern;
  std::unique_ptr<pcre2_code, Deleter> code;
  std::unique_ptr<pcre2_match_context, Deleter> context;
};

BoundedRegex::BoundedRegex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BoundedRegex::BoundedRegex(BoundedRegex&&) noexcept = default;
BoundedRegex& BoundedRegex::operator=(BoundedRegex&&) noexcept = default;
BoundedRegex::~BoundedRegex() = default;

const std::string& BoundedRegex::pattern() const { return impl_->pattern; }

// The interpreter runs it, without JIT: its limits count the same steps whether a text comes whole
// or in pieces, and the gateway needs no memory that is both written and executed.
absl::StatusOr<BoundedRegex> BoundedRegex::compile(std::string_view pattern) {
  if (pattern.empty()) return base::invalid_argument("[content policy] regex is empty");
  if (pattern.size() > kRegexBytesMax) {
    return base::invalid_argument(fmt::format("[content policy] regex of {} bytes is over {}",
                                              pattern.size(), kRegexBytesMax));
  }
  RETURN_IF_ERROR(check_dialect(pattern));
  ASSIGN_OR_RETURN(const Source source, normalize_source(pattern));
  auto impl = std::make_unique<Impl>();
  impl->pattern = pattern;
  int error = 0;
  PCRE2_SIZE where = 0;
  // .* at the front would otherwise be tried at the beginnings of lines alone.
  const std::uint32_t options =
      PCRE2_UTF | PCRE2_UCP | PCRE2_CASELESS | PCRE2_NO_DOTSTAR_ANCHOR | PCRE2_NEVER_BACKSLASH_C;
  impl->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.text.data()),
                                 source.text.size(), options, &error, &where, nullptr));
  if (impl->code == nullptr) {
    PCRE2_UCHAR text[128] = {};
    pcre2_get_error_message(error, text, sizeof text);
    return refused(pattern, reinterpret_cast<const char*>(text),
                   source.origins[std::min(where, source.text.size())]);
  }
  std::uint32_t lookbehind = 0;
  pcre2_pattern_info(impl->code.get(), PCRE2_INFO_MAXLOOKBEHIND, &lookbehind);
  if (lookbehind > kRegexLookbehindMax) {
    return refused(pattern, fmt::format("lookbehind over {} characters", kRegexLookbehindMax), 0);
  }
  impl->context.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(impl->context.get(), kRegexStepsMax);
  pcre2_set_depth_limit(impl->context.get(), kRegexDepthMax);
  pcre2_set_heap_limit(impl->context.get(), kRegexHeapKibMax);
  return BoundedRegex(std::move(impl));
}

RegexResult BoundedRegex::run(const Subject& subject, std::size_t from, unsigned options,
                              RegexScratch& scratch) const {
  using Outcome = RegexResult::Outcome;
  options |= PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY;
  pcre2_match_data* match = scratch.impl_->match.get();
  const int found =
      pcre2_match(impl_->code.get(), reinterpret_cast<PCRE2_SPTR>(subject.text.data()),
                  subject.text.size(), from, options, match, impl_->context.get());
  if (found == PCRE2_ERROR_NOMATCH) return {};
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match);
  if (found == PCRE2_ERROR_PARTIAL) return {Outcome::partial, range[0], range[1]};
  if (found < 0) return {Outcome::failed, from, from};
  return {Outcome::match, range[0], range[1]};
}

// Always in partial mode: the shortcuts that the other mode takes (a letter that must come, the
// least length) would let the limits strike for one cut of a text and not for another.
RegexResult BoundedRegex::search(const Subject& subject, std::size_t from,
                                 RegexScratch& scratch) const {
  RegexResult result = run(subject, from, PCRE2_PARTIAL_HARD, scratch);
  if (result.outcome != RegexResult::Outcome::failed) return result;
  // PCRE2 does not say where, and the limits count from each place anew.
  while (from < subject.text.size()) {
    result = run(subject, from, PCRE2_PARTIAL_HARD | PCRE2_ANCHORED, scratch);
    if (result.outcome == RegexResult::Outcome::failed) return result;
    from += first_utf8(subject.text.substr(from)).bytes;
  }
  return {RegexResult::Outcome::failed, from, from};
}

RegexResult BoundedRegex::match_at(const Subject& subject, std::size_t from,
                                   RegexScratch& scratch) const {
  return run(subject, from, PCRE2_ANCHORED | (subject.to_end ? 0 : PCRE2_NOTEOL), scratch);
}

}  // namespace plinth::governance
