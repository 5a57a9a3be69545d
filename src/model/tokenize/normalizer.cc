#include "model/tokenize/normalizer.h"

#include <fmt/format.h>

#include "model/limits.h"
#include "model/tokenize/unicode.h"
#include "model/tokenize/utf8.h"

namespace plinth::model {

namespace {

template <typename Keep>
std::string filtered(std::string_view text, Keep keep) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = first_character(text);
    if (keep(c.code)) out += text.substr(0, c.bytes);
    text.remove_prefix(c.bytes);
  }
  return out;
}

// Devlin et al., "BERT", 2018, as Hugging Face's BertNormalizer orders the steps.
std::string bert(std::string_view text, const NormalizerStep& step) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = first_character(text);
    const std::string_view bytes = text.substr(0, c.bytes);
    text.remove_prefix(c.bytes);
    if (step.clean_text && bert_removes(c.code)) continue;
    if (step.clean_text && is_white_space(c.code)) {
      out += ' ';
    } else if (step.space_around_cjk && bert_cjk(c.code)) {
      out += ' ';
      out += bytes;
      out += ' ';
    } else {
      out += bytes;
    }
  }
  if (step.remove_accents) {
    out = filtered(to_normal_form(out, NormalForm::nfd),
                   [](std::uint32_t code) { return !bert_nonspacing_mark(code); });
  }
  return step.to_lowercase ? to_lower(out) : out;
}

absl::StatusOr<std::string> replace(std::string_view text, const NormalizerStep& step,
                                    const std::optional<SplitRegex>& regex) {
  std::string out;
  std::size_t done = 0;
  bool too_long = false;
  const auto on_match = [&](std::size_t begin, std::size_t end) {
    if (too_long) return;
    out += text.substr(done, begin - done);
    out += step.content;
    done = end;
    too_long = out.size() > kNormalizedBytesMax;
  };
  if (regex) {
    RETURN_IF_ERROR(regex->for_each(text, on_match));
  } else {
    for (auto at = text.find(step.pattern); at != std::string_view::npos && !too_long;
         at = text.find(step.pattern, at + step.pattern.size())) {
      on_match(at, at + step.pattern.size());
    }
  }
  if (too_long) return base::resource_exhausted("[tokenizer] normalised text is too long");
  out += text.substr(done);
  return out;
}

absl::StatusOr<std::string> applied(const std::string& text, const NormalizerStep& step,
                                    const std::optional<SplitRegex>& regex) {
  using Kind = NormalizerStep::Kind;
  switch (step.kind) {
    case Kind::nfc:
      return to_normal_form(text, NormalForm::nfc);
    case Kind::nfd:
      return to_normal_form(text, NormalForm::nfd);
    case Kind::nfkc:
      return to_normal_form(text, NormalForm::nfkc);
    case Kind::nfkd:
      return to_normal_form(text, NormalForm::nfkd);
    case Kind::lowercase:
      return to_lower(text);
    case Kind::strip:
      return std::string(stripped(text, step.left, step.right));
    case Kind::strip_accents:
      return filtered(text, [](std::uint32_t code) { return !is_mark(code); });
    case Kind::replace:
      return replace(text, step, regex);
    case Kind::prepend:
      return text.empty() ? text : step.content + text;
    case Kind::bert:
      return bert(text, step);
  }
  return text;
}

}  // namespace

absl::StatusOr<Normalizer> Normalizer::create(std::vector<NormalizerStep> steps) {
  if (steps.size() > kTokenizerStepsMax) {
    return base::invalid_argument(fmt::format("[tokenizer] {} normalizer steps are over {}",
                                              steps.size(), kTokenizerStepsMax));
  }
  Normalizer out;
  for (auto& spec : steps) {
    if (spec.content != utf8_repaired(spec.content) || spec.content.size() > kTokenBytesMax) {
      return base::invalid_argument("[tokenizer] normalizer content is not short UTF-8");
    }
    Step step;
    if (spec.kind == NormalizerStep::Kind::replace) {
      if (spec.pattern.empty()) return base::invalid_argument("[tokenizer] replace of nothing");
      if (spec.regex) {
        ASSIGN_OR_RETURN(auto regex, SplitRegex::compile(spec.pattern));
        step.regex.emplace(std::move(regex));
      }
    }
    step.spec = std::move(spec);
    out.steps_.push_back(std::move(step));
  }
  return out;
}

absl::StatusOr<std::string> Normalizer::apply(std::string text) const {
  for (const auto& step : steps_) {
    ASSIGN_OR_RETURN(text, applied(text, step.spec, step.regex));
    if (text.size() > kNormalizedBytesMax)
      return base::resource_exhausted("[tokenizer] normalised text is too long");
  }
  return text;
}

}  // namespace plinth::model
