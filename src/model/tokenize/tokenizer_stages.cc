#include "model/tokenize/tokenizer_stages.h"

#include <fmt/format.h>

#include <functional>
#include <map>

#include "model/limits.h"
#include "model/tokenize/metaspace.h"
#include "model/tokenize/pre_tokenizer.h"

namespace plinth::model {

namespace {

// Calls read(part) for each component of a Sequence, at any depth.
absl::Status for_each_part(
    const JsonField& field, std::string_view list, std::size_t depth,
    const std::function<absl::Status(const JsonField&, const std::string&)>& read) {
  if (depth > kTokenizerStepsMax) return field.wrong("is nested too deep");
  RETURN_IF_ERROR(field.expect_object());
  ASSIGN_OR_RETURN(const auto type_field, field.required("type"));
  ASSIGN_OR_RETURN(const std::string type, type_field.text());
  if (type != "Sequence") return read(field, type);
  ASSIGN_OR_RETURN(const auto parts, field.required(list));
  ASSIGN_OR_RETURN(const auto* items, parts.array());
  if (items->size() > kTokenizerStepsMax) return parts.wrong("has too many components");
  for (std::size_t i = 0; i < items->size(); ++i) {
    ASSIGN_OR_RETURN(const auto part, parts.element(i));
    RETURN_IF_ERROR(for_each_part(part, list, depth + 1, read));
  }
  return absl::OkStatus();
}

// {"String": "x"} or {"Regex": "x"}.
absl::Status read_pattern(const JsonField& field, std::string& pattern, bool& regex) {
  ASSIGN_OR_RETURN(const auto holder, field.required("pattern"));
  const auto literal = holder.member("String");
  regex = !literal.has_value();
  if (literal) {
    ASSIGN_OR_RETURN(pattern, literal->text());
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const auto expression, holder.required("Regex"));
  ASSIGN_OR_RETURN(pattern, expression.text());
  return absl::OkStatus();
}

absl::Status read_normalizer_part(const JsonField& field, const std::string& type,
                                  TokenizerSpec& spec) {
  using Kind = NormalizerStep::Kind;
  static const std::map<std::string_view, Kind> kKinds = {
      {"NFC", Kind::nfc},         {"NFD", Kind::nfd},
      {"NFKC", Kind::nfkc},       {"NFKD", Kind::nfkd},
      {"Strip", Kind::strip},     {"StripAccents", Kind::strip_accents},
      {"Replace", Kind::replace}, {"Lowercase", Kind::lowercase},
      {"Prepend", Kind::prepend}, {"BertNormalizer", Kind::bert},
  };
  const auto found = kKinds.find(type);
  if (found == kKinds.end()) return not_supported(field, type);
  NormalizerStep step;
  step.kind = found->second;
  if (step.kind == Kind::replace) {
    RETURN_IF_ERROR(read_pattern(field, step.pattern, step.regex));
    ASSIGN_OR_RETURN(step.content, field.text("content", ""));
  } else if (step.kind == Kind::prepend) {
    ASSIGN_OR_RETURN(step.content, field.text("prepend", ""));
  } else if (step.kind == Kind::strip) {
    ASSIGN_OR_RETURN(step.left, field.flag("strip_left", true));
    ASSIGN_OR_RETURN(step.right, field.flag("strip_right", true));
  } else if (step.kind == Kind::bert) {
    ASSIGN_OR_RETURN(step.clean_text, field.flag("clean_text", true));
    ASSIGN_OR_RETURN(step.space_around_cjk, field.flag("handle_chinese_chars", true));
    ASSIGN_OR_RETURN(step.to_lowercase, field.flag("lowercase", true));
    ASSIGN_OR_RETURN(step.remove_accents, field.flag("strip_accents", step.to_lowercase));
  }
  spec.normalizer.push_back(std::move(step));
  return absl::OkStatus();
}

absl::Status read_behavior(const JsonField& field, PreTokenizerStep& step) {
  using Behavior = PreTokenizerStep::Behavior;
  static const std::map<std::string_view, Behavior> kBehaviors = {
      {"Removed", Behavior::removed},
      {"Isolated", Behavior::isolated},
      {"MergedWithPrevious", Behavior::merged_with_previous},
      {"MergedWithNext", Behavior::merged_with_next},
      {"Contiguous", Behavior::contiguous},
  };
  ASSIGN_OR_RETURN(const std::string name, field.text("behavior", "Isolated"));
  const auto found = kBehaviors.find(name);
  if (found == kBehaviors.end()) return not_supported(field, "behavior " + name);
  step.behavior = found->second;
  return absl::OkStatus();
}

absl::Status read_metaspace(const JsonField& field, PreTokenizerStep& step) {
  using Prepend = PreTokenizerStep::Prepend;
  step.kind = PreTokenizerStep::Kind::metaspace;
  ASSIGN_OR_RETURN(const std::string replacement,
                   field.text("replacement", std::string(kMetaspace)));
  if (replacement != kMetaspace) return not_supported(field, "replacement other than U+2581");
  // Older files say add_prefix_space.
  ASSIGN_OR_RETURN(const bool prefix, field.flag("add_prefix_space", true));
  ASSIGN_OR_RETURN(const std::string scheme,
                   field.text("prepend_scheme", prefix ? "always" : "never"));
  if (scheme == "always") {
    step.prepend = Prepend::always;
  } else if (scheme == "first") {
    step.prepend = Prepend::first;
  } else if (scheme == "never") {
    step.prepend = Prepend::never;
  } else {
    return not_supported(field, "prepend_scheme " + scheme);
  }
  ASSIGN_OR_RETURN(step.split_at_spaces, field.flag("split", true));
  return absl::OkStatus();
}

PreTokenizerStep split_by(std::string expression, PreTokenizerStep::Behavior behavior) {
  PreTokenizerStep step;
  step.pattern = std::move(expression);
  step.behavior = behavior;
  return step;
}

absl::Status read_byte_level(const JsonField& field, TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const bool prefix, field.flag("add_prefix_space", true));
  ASSIGN_OR_RETURN(const bool use_regex, field.flag("use_regex", true));
  spec.kind = TokenizerKind::byte_level_bpe;
  if (prefix) {
    PreTokenizerStep space;
    space.kind = PreTokenizerStep::Kind::prefix_space;
    spec.pre_tokenizer.push_back(std::move(space));
  }
  if (use_regex) {
    spec.pre_tokenizer.push_back(split_by(kGpt2Expression, PreTokenizerStep::Behavior::isolated));
  }
  return absl::OkStatus();
}

absl::Status read_pre_tokenizer_part(const JsonField& field, const std::string& type,
                                     TokenizerSpec& spec) {
  using Behavior = PreTokenizerStep::Behavior;
  PreTokenizerStep step;
  if (type == "ByteLevel") return read_byte_level(field, spec);
  if (spec.kind == TokenizerKind::byte_level_bpe) {
    return not_supported(field, type + " after ByteLevel");
  }
  if (type == "Split") {
    RETURN_IF_ERROR(read_pattern(field, step.pattern, step.regex));
    RETURN_IF_ERROR(read_behavior(field, step));
    ASSIGN_OR_RETURN(step.invert, field.flag("invert", false));
  } else if (type == "Digits") {
    ASSIGN_OR_RETURN(const bool individual, field.flag("individual_digits", false));
    step = split_by(R"(\p{N})", individual ? Behavior::isolated : Behavior::contiguous);
  } else if (type == "Metaspace") {
    RETURN_IF_ERROR(read_metaspace(field, step));
  } else if (type == "BertPreTokenizer") {
    step.kind = PreTokenizerStep::Kind::bert;
  } else if (type == "WhitespaceSplit") {
    step = split_by(R"(\s)", Behavior::removed);
  } else if (type == "Whitespace") {
    step = split_by(R"([\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200c}\x{200d}]+|)"
                    R"([^\s\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200c}\x{200d}]+)",
                    Behavior::removed);
    step.invert = true;
  } else if (type == "Punctuation") {
    step = split_by(R"([\p{P}$+<=>^`|~])", Behavior::isolated);
    RETURN_IF_ERROR(read_behavior(field, step));
  } else {
    return not_supported(field, type);
  }
  spec.pre_tokenizer.push_back(std::move(step));
  return absl::OkStatus();
}

absl::StatusOr<TokenId> token_id(const JsonField& field, const TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const auto id, field.integer());
  if (id < 0 || id >= static_cast<std::int64_t>(spec.tokens.size())) {
    return field.wrong("is outside the vocabulary");
  }
  return static_cast<TokenId>(id);
}

// single: what stands before and after sequence A.
absl::Status read_template(const JsonField& field, TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const auto single, field.required("single"));
  ASSIGN_OR_RETURN(const auto* pieces, single.array());
  if (pieces->size() > kTokenizerStepsMax) return single.wrong("has too many pieces");
  bool seen = false;
  for (std::size_t i = 0; i < pieces->size(); ++i) {
    ASSIGN_OR_RETURN(const auto piece, single.element(i));
    if (piece.member("Sequence")) {
      if (seen) return not_supported(piece, "a second sequence");
      seen = true;
      continue;
    }
    ASSIGN_OR_RETURN(const auto token, piece.required("SpecialToken"));
    ASSIGN_OR_RETURN(const auto name_field, token.required("id"));
    ASSIGN_OR_RETURN(const std::string name, name_field.text());
    ASSIGN_OR_RETURN(const auto table, field.required("special_tokens"));
    ASSIGN_OR_RETURN(const auto entry, table.required(name));
    ASSIGN_OR_RETURN(const auto ids, entry.required("ids"));
    ASSIGN_OR_RETURN(const auto* list, ids.array());
    if (list->size() > kTokenizerStepsMax) return ids.wrong("has too many elements");
    for (std::size_t j = 0; j < list->size(); ++j) {
      ASSIGN_OR_RETURN(const auto element, ids.element(j));
      ASSIGN_OR_RETURN(const TokenId id, token_id(element, spec));
      (seen ? spec.after : spec.before).push_back(id);
    }
  }
  return seen ? absl::OkStatus() : single.wrong("has no sequence");
}

// "cls": ["[CLS]", 101] and "sep" likewise.
absl::Status read_cls_sep(const JsonField& field, TokenizerSpec& spec) {
  for (const char* name : {"cls", "sep"}) {
    ASSIGN_OR_RETURN(const auto pair, field.required(name));
    ASSIGN_OR_RETURN(const auto number, pair.element(1));
    ASSIGN_OR_RETURN(const TokenId id, token_id(number, spec));
    (name[0] == 'c' ? spec.before : spec.after).push_back(id);
  }
  return absl::OkStatus();
}

absl::Status read_sentencepiece_part(const JsonField& field, const std::string& type, bool& fused,
                                     TokenizerSpec& spec) {
  if (type == "Replace") {
    std::string pattern;
    bool regex = false;
    RETURN_IF_ERROR(read_pattern(field, pattern, regex));
    ASSIGN_OR_RETURN(const std::string content, field.text("content", ""));
    if (regex || pattern != kMetaspace || content != " ")
      return not_supported(field, "Replace of other than U+2581 by a space");
  } else if (type == "Fuse") {
    fused = true;
  } else if (type == "Strip") {
    ASSIGN_OR_RETURN(const std::string content, field.text("content", " "));
    ASSIGN_OR_RETURN(const auto start, field.integer("start", 0));
    ASSIGN_OR_RETURN(const auto stop, field.integer("stop", 0));
    if (!fused || content != " " || stop != 0 || start < 0 || start > 16)
      return not_supported(field, "Strip of other than spaces at the start of the whole text");
    spec.detokenizer.strip_left = static_cast<int>(start);
  } else if (type != "ByteFallback") {
    return not_supported(field, type);
  }
  spec.detokenizer.kind = Detokenizer::Kind::sentencepiece;
  return absl::OkStatus();
}

}  // namespace

absl::Status not_supported(const JsonField& field, std::string_view what) {
  return base::unimplemented(
      fmt::format("[tokenizer] {}: {} is not supported", field.path(), what.substr(0, 100)));
}

absl::Status read_normalizer(const JsonField& field, TokenizerSpec& spec) {
  return for_each_part(field, "normalizers", 0, [&](const JsonField& part, const auto& type) {
    return read_normalizer_part(part, type, spec);
  });
}

absl::Status read_pre_tokenizer(const JsonField& field, TokenizerSpec& spec) {
  return for_each_part(field, "pretokenizers", 0, [&](const JsonField& part, const auto& type) {
    return read_pre_tokenizer_part(part, type, spec);
  });
}

absl::Status read_post_processor(const JsonField& field, TokenizerSpec& spec) {
  return for_each_part(field, "processors", 0,
                       [&](const JsonField& part, const std::string& type) -> absl::Status {
                         if (type == "TemplateProcessing") return read_template(part, spec);
                         if (type == "BertProcessing" || type == "RobertaProcessing")
                           return read_cls_sep(part, spec);
                         if (type == "ByteLevel") return absl::OkStatus();
                         return not_supported(part, type);
                       });
}

absl::Status read_decoder(const JsonField& field, TokenizerSpec& spec) {
  bool fused = false;
  return for_each_part(field, "decoders", 0,
                       [&](const JsonField& part, const std::string& type) -> absl::Status {
                         if (type == "ByteLevel") {
                           spec.detokenizer.kind = Detokenizer::Kind::byte_level;
                         } else if (type == "WordPiece") {
                           spec.detokenizer.kind = Detokenizer::Kind::wordpiece;
                           ASSIGN_OR_RETURN(spec.detokenizer.prefix, part.text("prefix", "##"));
                           ASSIGN_OR_RETURN(spec.detokenizer.cleanup, part.flag("cleanup", true));
                         } else if (type == "Metaspace") {
                           PreTokenizerStep step;
                           RETURN_IF_ERROR(read_metaspace(part, step));
                           // A scheme of never keeps the space that the first token begins with.
                           spec.detokenizer.kind = step.prepend == PreTokenizerStep::Prepend::never
                                                       ? Detokenizer::Kind::sentencepiece
                                                       : Detokenizer::Kind::metaspace;
                         } else {
                           return read_sentencepiece_part(part, type, fused, spec);
                         }
                         return absl::OkStatus();
                       });
}

}  // namespace plinth::model
