#include "model/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/limits.h"
#include "model/tokenize/added_tokens.h"
#include "model/tokenize/families.h"
#include "model/tokenize/normalizer.h"
#include "model/tokenize/piece_model.h"
#include "model/tokenize/pre_tokenizer.h"
#include "model/tokenize/token_text.h"
#include "model/tokenize/utf8.h"

namespace plinth::model {

namespace {

absl::Status check(const TokenizerSpec& spec) {
  const auto count = spec.tokens.size();
  if (count > static_cast<std::size_t>(kVocabMax)) {
    return base::invalid_argument(
        fmt::format("[tokenizer] {} tokens are over {}", count, kVocabMax));
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (spec.tokens[i].size() > kTokenBytesMax) {
      return base::invalid_argument(
          fmt::format("[tokenizer] token {} has {} bytes", i, spec.tokens[i].size()));
    }
  }
  const auto outside = [&](TokenId id) { return id < 0 || static_cast<std::size_t>(id) >= count; };
  for (const auto& added : spec.added) {
    if (outside(added.id)) {
      return base::invalid_argument(
          fmt::format("[tokenizer] added token {} is outside the vocabulary", added.id));
    }
    if (added.text.size() > kTokenBytesMax) {
      return base::invalid_argument(
          fmt::format("[tokenizer] added token {} has {} bytes", added.id, added.text.size()));
    }
  }
  for (const auto& id : {spec.bos, spec.eos, spec.unk, spec.pad, spec.cls, spec.sep, spec.mask}) {
    if (id && outside(*id)) {
      return base::invalid_argument(
          fmt::format("[tokenizer] special token {} is outside the vocabulary", *id));
    }
  }
  for (const auto* list : {&spec.before, &spec.after}) {
    for (const TokenId id : *list) {
      if (outside(id)) {
        return base::invalid_argument(
            fmt::format("[tokenizer] special token {} is outside the vocabulary", id));
      }
    }
  }
  return absl::OkStatus();
}

class StagedTokenizer final : public Tokenizer {
 public:
  StagedTokenizer(TokenizerSpec spec, Normalizer normalizer, PreTokenizer pre_tokenizer)
      : spec_(std::move(spec)),
        normalizer_(std::move(normalizer)),
        pre_tokenizer_(std::move(pre_tokenizer)),
        text_(spec_) {}

  static absl::StatusOr<std::unique_ptr<Tokenizer>> create(TokenizerSpec spec) {
    RETURN_IF_ERROR(fill_stages(spec));
    RETURN_IF_ERROR(check(spec));
    ASSIGN_OR_RETURN(auto normalizer, Normalizer::create(spec.normalizer));
    ASSIGN_OR_RETURN(auto pre_tokenizer, PreTokenizer::create(spec.pre_tokenizer));
    auto made = std::make_unique<StagedTokenizer>(std::move(spec), std::move(normalizer),
                                                  std::move(pre_tokenizer));
    ASSIGN_OR_RETURN(made->model_, made->spec_.kind == TokenizerKind::wordpiece
                                       ? make_wordpiece(made->spec_)
                                       : make_bpe(made->spec_));
    RETURN_IF_ERROR(made->add_tokens());
    return std::unique_ptr<Tokenizer>(std::move(made));
  }

  absl::StatusOr<std::vector<TokenId>> encode(std::string_view text,
                                              const EncodeOptions& options) const override {
    const std::string repaired = utf8_repaired(text);
    std::vector<TokenId> ids;
    if (options.add_special) ids = spec_.before;
    BpeMerger merger;
    absl::Status status;
    // Repairing moves bytes, which the spans do not follow: then all of it is foreign.
    const TextSpan whole[] = {{0, repaired.size()}};
    AddedTokenRules rules{options.parse_special, options.foreign, options.reserved};
    if (repaired.size() != text.size() && !options.foreign.empty()) rules.foreign = whole;
    verbatim_.split(repaired, rules, [&](std::string_view part, const AddedToken* added) {
      if (!status.ok()) return;
      if (added != nullptr) {
        ids.push_back(added->id);
      } else {
        const auto begin = static_cast<std::size_t>(part.data() - repaired.data());
        status = encode_part(part, begin, rules, merger, ids);
      }
    });
    RETURN_IF_ERROR(status);
    if (options.add_special) ids.insert(ids.end(), spec_.after.begin(), spec_.after.end());
    return ids;
  }

  std::string token_bytes(TokenId id, bool special) const override {
    return shown(id, special) ? text_.bytes(id) : "";
  }
  DecodeState decode_begin(bool continues) const override { return text_.begin(continues); }
  void decode_next(DecodeState& state, TokenId id, bool skip_special,
                   std::string& out) const override {
    if (shown(id, !skip_special)) text_.next(state, id, out);
  }
  void decode_end(DecodeState& state, std::string& out) const override { text_.end(state, out); }

  std::int32_t vocab_size() const override {
    return static_cast<std::int32_t>(spec_.tokens.size());
  }
  const TokenizerSpec& spec() const override { return spec_; }
  bool is_end_of_generation(TokenId id) const override {
    return std::find(spec_.end_of_generation.begin(), spec_.end_of_generation.end(), id) !=
           spec_.end_of_generation.end();
  }
  bool is_control(TokenId id) const override {
    return id >= 0 && static_cast<std::size_t>(id) < control_.size() &&
           control_[static_cast<std::size_t>(id)];
  }

 private:
  absl::Status add_tokens() {
    control_.assign(spec_.tokens.size(), false);
    for (const auto& added : spec_.added) {
      control_[static_cast<std::size_t>(added.id)] = added.special;
      if (!added.normalized) {
        verbatim_.add(added, added.text);
        continue;
      }
      ASSIGN_OR_RETURN(const std::string text, normalizer_.apply(utf8_repaired(added.text)));
      normalized_.add(added, text);
    }
    return absl::OkStatus();
  }

  bool shown(TokenId id, bool special) const {
    return id >= 0 && id < vocab_size() && (special || !control_[static_cast<std::size_t>(id)]);
  }

  // The spans within [begin, end), counted from begin.
  static std::vector<TextSpan> clipped(std::span<const TextSpan> spans, std::size_t begin,
                                       std::size_t end) {
    auto span = std::partition_point(spans.begin(), spans.end(),
                                     [&](const TextSpan& s) { return s.end <= begin; });
    std::vector<TextSpan> out;
    for (; span != spans.end() && span->begin < end; ++span) {
      out.push_back({std::max(span->begin, begin) - begin, std::min(span->end, end) - begin});
    }
    return out;
  }

  // What lies between added tokens that are matched verbatim: `part` begins at byte `begin` of the
  // text that `all` is about. Where normalising changes it, foreign text cannot be told from the
  // rest: then all of it is foreign if any is.
  absl::Status encode_part(std::string_view part, std::size_t begin, const AddedTokenRules& all,
                           BpeMerger& merger, std::vector<TokenId>& ids) const {
    const bool first = begin == 0;
    auto foreign = clipped(all.foreign, begin, begin + part.size());
    std::string changed;
    if (!normalizer_.empty()) {
      ASSIGN_OR_RETURN(changed, normalizer_.apply(std::string(part)));
      if (changed != part && !foreign.empty()) foreign = {{0, changed.size()}};
      part = changed;
    }
    const auto visit = [&](std::string_view piece) { model_->encode(piece, merger, ids); };
    if (normalized_.empty()) return pre_tokenizer_.split(part, first, visit);
    absl::Status status;
    const AddedTokenRules rules{all.special, foreign, all.reserved};
    normalized_.split(part, rules, [&](std::string_view rest, const AddedToken* added) {
      if (!status.ok()) return;
      if (added != nullptr) {
        ids.push_back(added->id);
      } else {
        status = pre_tokenizer_.split(rest, first && rest.data() == part.data(), visit);
      }
    });
    return status;
  }

  const TokenizerSpec spec_;
  const Normalizer normalizer_;
  const PreTokenizer pre_tokenizer_;
  const TokenText text_;
  std::unique_ptr<PieceModel> model_;
  AddedTokens verbatim_, normalized_;
  std::vector<bool> control_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> make_tokenizer(TokenizerSpec spec) {
  return StagedTokenizer::create(std::move(spec));
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string out;
  DecodeState state = decode_begin(false);
  for (const TokenId id : ids) decode_next(state, id, skip_special, out);
  decode_end(state, out);
  return out;
}

DecodeState Tokenizer::decode_begin(bool continues) const {
  DecodeState state;
  state.started = continues;
  return state;
}

void Tokenizer::decode_next(DecodeState& state, TokenId id, bool skip_special,
                            std::string& out) const {
  state.held += token_bytes(id, !skip_special);
  take_characters(state.held, out);
}

void Tokenizer::decode_end(DecodeState& state, std::string& out) const {
  out += utf8_repaired(state.held);
  state.held.clear();
}

std::string TextDecoder::push(TokenId id) {
  std::string out;
  tokenizer_.decode_next(state_, id, true, out);
  return out;
}

std::string TextDecoder::finish() {
  std::string out;
  tokenizer_.decode_end(state_, out);
  return out;
}

}  // namespace plinth::model
