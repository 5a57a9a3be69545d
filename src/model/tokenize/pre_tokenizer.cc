#include "model/tokenize/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <map>
#include <vector>

#include "base/check.h"

namespace plinth::model {

namespace {

// Every piece of the text that an expression leaves unmatched stays a piece of its own, and the
// next expression splits the pieces of the one before: the "isolated" behaviour of Hugging Face's
// Split.
using Expressions = std::vector<const char*>;

constexpr char kGpt2[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|)"
                         R"(\s+(?!\S)|\s+)";
constexpr char kLlama3[] = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)"
                           R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|)"
                           R"(\s+)";
constexpr char kQwen2[] = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)"
                          R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|)"
                          R"(\s+)";
constexpr char kGpt4o[] =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}])"
    R"(+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}])"
    R"(*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|)"
    R"(\s+)";

const std::map<std::string, Expressions>& table() {
  static const std::map<std::string, Expressions> expressions = {
      {"gpt2", {kGpt2}},     {"gpt-2", {kGpt2}},       {"smollm", {R"(\p{N})", kGpt2}},
      {"llama3", {kLlama3}}, {"llama-bpe", {kLlama3}}, {"llama-v3", {kLlama3}},
      {"qwen2", {kQwen2}},   {"qwen3", {kQwen2}},      {"gpt-4o", {kGpt4o}},
  };
  return expressions;
}

// Backtracking steps for one match: a piece of a megabyte of spaces needs about its length.
constexpr std::uint32_t kMatchSteps = 50'000'000;

struct Code {
  pcre2_code* code = nullptr;
  explicit Code(pcre2_code* compiled) : code(compiled) {}
  Code(Code&& other) noexcept : code(std::exchange(other.code, nullptr)) {}
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() { pcre2_code_free(code); }
};

}  // namespace

struct PreTokenizer::Impl {
  std::vector<Code> codes;

  void split_from(std::size_t index, std::string_view text,
                  const std::function<void(std::string_view)>& visit) const {
    if (text.empty()) return;
    if (index == codes.size()) {
      visit(text);
      return;
    }
    pcre2_code* code = codes[index].code;
    pcre2_match_data* match = pcre2_match_data_create_from_pattern(code, nullptr);
    pcre2_match_context* context = pcre2_match_context_create(nullptr);
    pcre2_set_match_limit(context, kMatchSteps);
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    std::size_t at = 0, done = 0;
    while (at < text.size()) {
      if (pcre2_match(code, subject, text.size(), at, PCRE2_NO_UTF_CHECK, match, context) <= 0) {
        break;
      }
      const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match);
      if (range[1] == range[0]) break;
      split_from(index + 1, text.substr(done, range[0] - done), visit);
      split_from(index + 1, text.substr(range[0], range[1] - range[0]), visit);
      at = done = range[1];
    }
    split_from(index + 1, text.substr(done), visit);
    pcre2_match_context_free(context);
    pcre2_match_data_free(match);
  }
};

PreTokenizer::PreTokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PreTokenizer::~PreTokenizer() = default;

absl::StatusOr<std::unique_ptr<PreTokenizer>> PreTokenizer::create(const std::string& name) {
  const auto found = table().find(name);
  if (found == table().end()) {
    return base::unimplemented(fmt::format("[tokenizer] pre-tokenizer \"{}\" is not known", name));
  }
  auto impl = std::make_unique<Impl>();
  for (const char* expression : found->second) {
    int error = 0;
    PCRE2_SIZE where = 0;
    pcre2_code* code =
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression), PCRE2_ZERO_TERMINATED,
                      PCRE2_UTF | PCRE2_UCP, &error, &where, nullptr);
    CHECK(code != nullptr);
    // Without JIT support the interpreter gives the same matches.
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    impl->codes.emplace_back(code);
  }
  return std::unique_ptr<PreTokenizer>(new PreTokenizer(std::move(impl)));
}

void PreTokenizer::split(std::string_view text,
                         const std::function<void(std::string_view)>& visit) const {
  impl_->split_from(0, text, visit);
}

}  // namespace plinth::model
