// Byte-pair encoding: over bytes (GPT-2 and its descendants) or over characters with byte fallback
// (SentencePiece), by a list of merges or by the scores of the merged tokens.
// Kudo and Richardson, "SentencePiece", 2018.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "absl/container/flat_hash_map.h"
#include "model/tokenize/bpe_merger.h"
#include "model/tokenize/byte_alphabet.h"
#include "model/tokenize/piece_model.h"
#include "model/tokenize/spelt_tokens.h"
#include "model/tokenize/unicode.h"
#include "model/tokenize/utf8.h"

namespace plinth::model {

namespace {

class Bpe final : public PieceModel {
 public:
  explicit Bpe(const TokenizerSpec& spec)
      : spec_(spec),
        over_bytes_(spec.kind == TokenizerKind::byte_level_bpe),
        by_text_(spelt_tokens(spec)) {
    std::unordered_map<std::string_view, TokenId> all;
    for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
      if (!spec.tokens[i].empty()) all.emplace(spec.tokens[i], static_cast<TokenId>(i));
    }
    for (const auto& [text, id] : by_text_) bytes_max_ = std::max(bytes_max_, text.size());
    build_byte_tokens(all);
    if (!spec.scores.empty()) {
      rank_scores();
    } else {
      build_merges();
    }
  }

  void encode(std::string_view piece, BpeMerger& merger, std::vector<TokenId>& ids) const override {
    if (spec_.ignore_merges && over_bytes_) {
      if (const auto whole = whole_.find(piece); whole != whole_.end()) {
        ids.push_back(whole->second);
        return;
      }
    } else if (spec_.ignore_merges) {
      if (const auto whole = by_text_.find(piece); whole != by_text_.end()) {
        ids.push_back(whole->second);
        return;
      }
    }
    merger.clear();
    if (over_bytes_) {
      push_bytes(piece, merger);
    } else {
      push_characters(piece, merger);
    }
    const auto visit = [&](const Symbol& symbol) {
      if (symbol.id >= 0) {
        ids.push_back(symbol.id);
      } else {
        push_unknown(piece.substr(symbol.begin, symbol.end - symbol.begin), ids);
      }
    };
    if (!spec_.scores.empty()) {
      merger.run([&](const Symbol& l, const Symbol& r) { return by_score(piece, l, r); }, visit);
    } else {
      merger.run([&](const Symbol& l, const Symbol& r) { return by_rule(l, r); }, visit);
    }
  }

 private:
  void build_byte_tokens(const std::unordered_map<std::string_view, TokenId>& all) {
    for (std::uint32_t b = 0; b < 256; ++b) {
      std::string text;
      if (over_bytes_) {
        append_utf8(text, byte_alphabet()[b]);
      } else {
        text = byte_token_text(static_cast<unsigned char>(b));
      }
      const auto found = all.find(text);
      byte_token_[b] = found == all.end() ? -1 : found->second;
    }
    if (!spec_.ignore_merges || !over_bytes_) return;
    for (const auto& [text, id] : by_text_) {
      if (auto bytes = bytes_of_alphabet(text)) whole_.emplace(*std::move(bytes), id);
    }
  }

  // Ranks instead of scores: equal scores share one.
  void rank_scores() {
    std::vector<float> sorted = spec_.scores;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    rank_.reserve(spec_.scores.size());
    for (const float score : spec_.scores) {
      const auto found = std::lower_bound(sorted.begin(), sorted.end(), score, std::greater<>());
      rank_.push_back(static_cast<std::int32_t>(found - sorted.begin()));
    }
  }

  void build_merges() {
    merges_.reserve(spec_.merges.size());
    for (std::size_t rank = 0; rank < spec_.merges.size(); ++rank) {
      const auto& [left_text, right_text] = spec_.merges[rank];
      const auto left = by_text_.find(left_text), right = by_text_.find(right_text);
      const auto result = by_text_.find(left_text + right_text);
      // A merge of parts that no vocabulary entry names can never apply.
      if (left == by_text_.end() || right == by_text_.end() || result == by_text_.end()) continue;
      merges_.try_emplace(pair_key(left->second, right->second),
                          MergeResult{static_cast<std::int32_t>(rank), result->second});
    }
  }

  static std::uint64_t pair_key(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }

  std::optional<MergeResult> by_rule(const Symbol& left, const Symbol& right) const {
    const auto found = merges_.find(pair_key(left.id, right.id));
    if (found == merges_.end()) return std::nullopt;
    return found->second;
  }

  std::optional<MergeResult> by_score(std::string_view piece, const Symbol& left,
                                      const Symbol& right) const {
    const std::size_t bytes = right.end - left.begin;
    if (bytes > bytes_max_) return std::nullopt;
    const auto found = by_text_.find(piece.substr(left.begin, bytes));
    if (found == by_text_.end()) return std::nullopt;
    return MergeResult{rank_[static_cast<std::size_t>(found->second)], found->second};
  }

  void push_bytes(std::string_view piece, BpeMerger& merger) const {
    for (std::size_t i = 0; i < piece.size(); ++i) {
      TokenId id = byte_token_[static_cast<unsigned char>(piece[i])];
      if (id < 0) id = spec_.unk.value_or(-1);
      if (id >= 0) merger.push(id, i, i + 1);
    }
  }

  void push_characters(std::string_view piece, BpeMerger& merger) const {
    bool after_unknown = false;
    for (std::size_t at = 0; at < piece.size();) {
      const std::size_t end = at + first_character(piece.substr(at)).bytes;
      const auto found = by_text_.find(piece.substr(at, end - at));
      const bool unknown = found == by_text_.end();
      if (!unknown || !spec_.scores.empty()) {
        // By scores an unknown character may still be part of a token.
        merger.push(unknown ? -1 : found->second, at, end);
      } else if (has_byte_tokens(piece.substr(at, end - at))) {
        for (std::size_t i = at; i < end; ++i)
          merger.push(byte_token_[static_cast<unsigned char>(piece[i])], i, i + 1);
      } else if (spec_.unk) {
        if (spec_.fuse_unk && after_unknown) {
          merger.back().end = static_cast<std::uint32_t>(end);
        } else {
          merger.push(*spec_.unk, at, end);
        }
        after_unknown = true;
        at = end;
        continue;
      }
      after_unknown = false;
      at = end;
    }
  }

  bool has_byte_tokens(std::string_view bytes) const {
    return spec_.byte_fallback && std::all_of(bytes.begin(), bytes.end(), [&](char c) {
             return byte_token_[static_cast<unsigned char>(c)] >= 0;
           });
  }

  void push_unknown(std::string_view bytes, std::vector<TokenId>& ids) const {
    if (has_byte_tokens(bytes)) {
      for (const char c : bytes) ids.push_back(byte_token_[static_cast<unsigned char>(c)]);
    } else if (spec_.unk) {
      ids.push_back(*spec_.unk);
    }
  }

  const TokenizerSpec& spec_;
  const bool over_bytes_;
  std::unordered_map<std::string_view, TokenId> by_text_;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, TokenId, Hash, std::equal_to<>>
      whole_;  // ignore_merges: by bytes
  std::size_t bytes_max_ = 0;
  std::array<TokenId, 256> byte_token_{};
  absl::flat_hash_map<std::uint64_t, MergeResult> merges_;
  std::vector<std::int32_t> rank_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PieceModel>> make_bpe(const TokenizerSpec& spec) {
  if (!spec.scores.empty() && spec.scores.size() != spec.tokens.size()) {
    return base::invalid_argument("[tokenizer] scores and tokens differ in number");
  }
  if (std::any_of(spec.scores.begin(), spec.scores.end(), [](float s) { return !(s == s); })) {
    return base::invalid_argument("[tokenizer] a score is not a number");
  }
  return std::unique_ptr<PieceModel>(std::make_unique<Bpe>(spec));
}

}  // namespace plinth::model
