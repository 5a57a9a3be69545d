#include "model/tokenize/families.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "model/tokenize/metaspace.h"
#include "model/tokenize/pre_tokenizer.h"

namespace plinth::model {

namespace {

// The expressions are the ones that the families' tokenizer.json files publish.
constexpr char kLlama3[] = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)"
                           R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|)"
                           R"(\s+)";
constexpr char kQwen2[] = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)"
                          R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|)"
                          R"(\s+)";
constexpr char kQwen35[] = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|)"
                           R"(\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|)"
                           R"(\s+)";
constexpr char kGpt4o[] =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}])"
    R"(+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}])"
    R"(*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|)"
    R"(\s+)";
constexpr char kTekken[] =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr char kDeepSeekV3[] =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|)"
    R"([^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// The letters with case of Latin, Greek, Cyrillic and their like, as DeepSeek LLM lists them.
constexpr char kDeepSeekLetters[] =
    R"(\s?[A-Za-z)"
    R"(\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293})"
    R"(\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386})"
    R"(\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F})"
    R"(\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA})"
    R"(\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A})"
    R"(\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D})"
    R"(\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4})"
    R"(\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3})"
    R"(\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107})"
    R"(\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D})"
    R"(\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184})"
    R"(\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D})"
    R"(\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E})"
    R"(\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A})"
    R"(\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB})"
    R"(\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943})"
    R"(]+)";
constexpr char kDeepSeekMarks[] =
    R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)";
constexpr char kDeepSeekCjk[] = R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)";

struct Family {
  std::vector<const char*> expressions;  // each splits what the one before left
  bool nfc = false;
  bool ignore_merges = false;
};

const std::map<std::string_view, Family>& families() {
  static const Family kGpt2{{kGpt2Expression}}, kDigits{{R"(\p{N})", kGpt2Expression}},
      kLlama{{kLlama3}, false, true}, kGpt4{{kLlama3}}, kQwen{{kQwen2}, true}, kOmni{{kGpt4o}},
      kDeepSeek3{{R"(\p{N}{1,3})", R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)",
                  kDeepSeekV3}};
  static const std::map<std::string_view, Family> kFamilies = {
      {"gpt2", kGpt2},
      {"gpt-2", kGpt2},
      {"phi-2", kGpt2},
      {"mpt", kGpt2},
      {"olmo", kGpt2},
      {"jais", kGpt2},
      {"trillion", kGpt2},
      {"granite-docling", kGpt2},
      {"exaone4", kGpt2},
      {"a.x-4.0", kGpt2},
      {"mellum", kGpt2},
      {"roberta-bpe", kGpt2},
      {"jina-v1-en", kGpt2},
      {"jina-v2-code", kGpt2},
      {"jina-v2-es", kGpt2},
      {"jina-v2-de", kGpt2},
      {"smollm", kDigits},
      {"starcoder", kDigits},
      {"refact", kDigits},
      {"command-r", kDigits},
      {"codeshell", kDigits},
      {"exaone", kDigits},
      {"minerva-7b", kDigits},
      {"llama3", kLlama},
      {"llama-v3", kLlama},
      {"llama-bpe", kLlama},
      {"falcon3", kLlama},
      {"falcon-h1", kLlama},
      {"dbrx", kGpt4},
      {"smaug-bpe", kGpt4},
      {"glm4", kGpt4},
      {"chatglm-bpe", kGpt4},
      {"qwen2", kQwen},
      {"qwen3", kQwen},
      {"deepseek-r1-qwen", kQwen},
      {"megrez", kQwen},
      {"kormo", kQwen},
      {"stablelm2", {{kQwen2}}},
      {"hunyuan", {{kQwen2}}},
      {"grok-2", {{kQwen2}}},
      {"qwen35", {{kQwen35}, true}},
      {"gpt-4o", kOmni},
      {"llama4", kOmni},
      {"minimax-m2", kOmni},
      {"tekken", {{kTekken}, false, true}},
      {"deepseek-v3", kDeepSeek3},
      {"hunyuan-dense", kDeepSeek3},
      {"deepseek-coder", {{"[\r\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepSeekCjk, R"(\p{N})"}}},
      {"deepseek-llm",
       {{"[\r\n]", kDeepSeekLetters, kDeepSeekMarks, R"(\s+$)", kDeepSeekCjk, R"(\p{N}+)"}}},
  };
  return kFamilies;
}

absl::Status fill_byte_level(TokenizerSpec& spec) {
  const auto found = families().find(spec.pre);
  if (found == families().end()) {
    return base::unimplemented(
        fmt::format("[tokenizer] pre-tokenizer \"{}\" is not known", spec.pre.substr(0, 100)));
  }
  for (const char* expression : found->second.expressions) {
    PreTokenizerStep step;
    step.pattern = expression;
    spec.pre_tokenizer.push_back(std::move(step));
  }
  if (found->second.nfc) spec.normalizer.emplace_back();  // a step is NFC
  spec.ignore_merges = spec.ignore_merges || found->second.ignore_merges;
  spec.detokenizer.kind = Detokenizer::Kind::byte_level;
  return absl::OkStatus();
}

// The names that files have most often, of those whose stages are alike.
constexpr std::string_view kUsualNames[] = {
    "gpt-2",  "smollm",      "llama-bpe",      "qwen2",        "qwen35",    "gpt-4o",
    "tekken", "deepseek-v3", "deepseek-coder", "deepseek-llm", "stablelm2", "dbrx"};

bool has_stages_of(const TokenizerSpec& spec, const Family& family) {
  const auto nfc = [](const NormalizerStep& step) {
    return step.kind == NormalizerStep::Kind::nfc;
  };
  const auto same = [](const PreTokenizerStep& step, const char* expression) {
    return step.kind == PreTokenizerStep::Kind::split && step.regex && !step.invert &&
           step.behavior == PreTokenizerStep::Behavior::isolated && step.pattern == expression;
  };
  return spec.ignore_merges == family.ignore_merges &&
         spec.normalizer.size() == (family.nfc ? 1 : 0) &&
         std::all_of(spec.normalizer.begin(), spec.normalizer.end(), nfc) &&
         std::equal(spec.pre_tokenizer.begin(), spec.pre_tokenizer.end(),
                    family.expressions.begin(), family.expressions.end(), same);
}

void fill_sentencepiece(TokenizerSpec& spec) {
  if (spec.add_space_prefix) {
    NormalizerStep prepend;
    prepend.kind = NormalizerStep::Kind::prepend;
    prepend.content = kMetaspace;
    spec.normalizer.push_back(std::move(prepend));
  }
  NormalizerStep replace;
  replace.kind = NormalizerStep::Kind::replace;
  replace.pattern = " ";
  replace.content = kMetaspace;
  spec.normalizer.push_back(std::move(replace));
  // Gemma 4 does not merge over line ends.
  if (spec.pre == "gemma4") {
    PreTokenizerStep lines;
    lines.pattern = R"([^\n]+|\n+)";
    spec.pre_tokenizer.push_back(std::move(lines));
  }
  spec.byte_fallback = true;
  spec.detokenizer.kind = Detokenizer::Kind::sentencepiece;
  spec.detokenizer.strip_left = spec.add_space_prefix ? 1 : 0;
}

void fill_wordpiece(TokenizerSpec& spec) {
  NormalizerStep bert;
  bert.kind = NormalizerStep::Kind::bert;
  bert.remove_accents = spec.strip_accents;
  bert.to_lowercase = spec.lowercase;
  spec.normalizer.push_back(std::move(bert));
  PreTokenizerStep split;
  split.kind = PreTokenizerStep::Kind::bert;
  spec.pre_tokenizer.push_back(std::move(split));
  spec.detokenizer.kind = Detokenizer::Kind::wordpiece;
  spec.detokenizer.prefix = spec.continuing_prefix;
}

}  // namespace

absl::Status fill_stages(TokenizerSpec& spec) {
  if (!spec.stages_given) {
    switch (spec.kind) {
      case TokenizerKind::byte_level_bpe:
        RETURN_IF_ERROR(fill_byte_level(spec));
        break;
      case TokenizerKind::sentencepiece_bpe:
        fill_sentencepiece(spec);
        break;
      case TokenizerKind::wordpiece:
        fill_wordpiece(spec);
        if (spec.before.empty() && spec.cls) spec.before.push_back(*spec.cls);
        if (spec.after.empty() && spec.sep) spec.after.push_back(*spec.sep);
        break;
    }
    spec.stages_given = true;
  }
  if (spec.before.empty() && spec.add_bos && spec.bos) spec.before.push_back(*spec.bos);
  if (spec.after.empty() && spec.add_eos && spec.eos) spec.after.push_back(*spec.eos);
  return absl::OkStatus();
}

std::string family_of(const TokenizerSpec& spec) {
  if (spec.kind != TokenizerKind::byte_level_bpe) return "";
  if (!spec.stages_given || !spec.pre.empty()) return spec.pre;
  for (const auto name : kUsualNames)
    if (has_stages_of(spec, families().at(name))) return std::string(name);
  return "";
}

std::optional<bool> sentencepiece_space_prefix(const TokenizerSpec& spec) {
  if (spec.kind != TokenizerKind::sentencepiece_bpe) return std::nullopt;
  if (!spec.stages_given) return spec.add_space_prefix;
  const auto same = [](const NormalizerStep& a, const NormalizerStep& b) {
    return a.kind == b.kind && !a.regex && a.pattern == b.pattern && a.content == b.content;
  };
  for (const bool prefix : {true, false}) {
    TokenizerSpec usual;
    usual.add_space_prefix = prefix;
    fill_sentencepiece(usual);
    if (spec.byte_fallback && !spec.ignore_merges && spec.pre_tokenizer.empty() &&
        std::equal(spec.normalizer.begin(), spec.normalizer.end(), usual.normalizer.begin(),
                   usual.normalizer.end(), same) &&
        spec.detokenizer.kind == usual.detokenizer.kind &&
        spec.detokenizer.strip_left == usual.detokenizer.strip_left)
      return prefix;
  }
  return std::nullopt;
}

}  // namespace plinth::model
