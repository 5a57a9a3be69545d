#include "model/tokenize/byte_level_bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <queue>
#include <set>
#include <unordered_map>

#include "model/limits.h"
#include "model/tokenize/pre_tokenizer.h"
#include "model/tokenize/utf8.h"

namespace plinth::model {

namespace {

// GPT-2 writes each byte as a printable character: the printable ones as themselves, the others as
// 256, 257, ... in order.
std::array<std::uint32_t, 256> byte_alphabet() {
  std::array<std::uint32_t, 256> alphabet{};
  std::uint32_t next = 256;
  for (std::uint32_t b = 0; b < 256; ++b) {
    const bool printable =
        (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
    alphabet[b] = printable ? b : next++;
  }
  return alphabet;
}

std::uint32_t code_point(std::string_view c) {
  const auto b = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(c[i]));
  };
  switch (c.size()) {
    case 1:
      return b(0);
    case 2:
      return (b(0) & 31) << 6 | (b(1) & 63);
    case 3:
      return (b(0) & 15) << 12 | (b(1) & 63) << 6 | (b(2) & 63);
    default:
      return (b(0) & 7) << 18 | (b(1) & 63) << 12 | (b(2) & 63) << 6 | (b(3) & 63);
  }
}

struct Merge {
  std::int32_t rank;
  TokenId result;
};

class ByteLevelBpe final : public Tokenizer {
 public:
  static absl::StatusOr<std::unique_ptr<Tokenizer>> create(TokenizerSpec spec) {
    auto bpe = std::unique_ptr<ByteLevelBpe>(new ByteLevelBpe(std::move(spec)));
    RETURN_IF_ERROR(bpe->build());
    return std::unique_ptr<Tokenizer>(std::move(bpe));
  }

  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options) const override {
    std::vector<TokenId> ids;
    if (options.add_special && spec_.add_bos && spec_.bos) ids.push_back(*spec_.bos);
    const std::string repaired = utf8_repaired(text);
    std::string_view rest = repaired;
    while (!rest.empty()) {
      const auto [at, added] = next_added(rest, options.parse_special);
      splitter_->split(rest.substr(0, at),
                       [&](std::string_view piece) { encode_piece(piece, ids); });
      if (added == nullptr) break;
      ids.push_back(added->id);
      rest.remove_prefix(at + added->text.size());
    }
    if (options.add_special && spec_.add_eos && spec_.eos) ids.push_back(*spec_.eos);
    return ids;
  }

  std::string token_bytes(TokenId id, bool special) const override {
    if (id < 0 || id >= vocab_size()) return "";
    if (is_control(id) && !special) return "";
    return bytes_[static_cast<std::size_t>(id)];
  }

  std::string decode(std::span<const TokenId> ids, bool skip_special) const override {
    std::string bytes;
    for (const TokenId id : ids) bytes += token_bytes(id, !skip_special);
    return utf8_repaired(bytes);
  }

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
  explicit ByteLevelBpe(TokenizerSpec spec) : spec_(std::move(spec)) {}

  absl::Status build() {
    ASSIGN_OR_RETURN(splitter_, PreTokenizer::create(spec_.pre));
    std::unordered_map<std::string_view, TokenId> by_text;
    for (std::size_t i = 0; i < spec_.tokens.size(); ++i) {
      if (spec_.tokens[i].size() > kTokenBytesMax) {
        return base::invalid_argument(
            fmt::format("[tokenizer] token {} has {} bytes", i, spec_.tokens[i].size()));
      }
      by_text.emplace(spec_.tokens[i], static_cast<TokenId>(i));
    }
    const auto alphabet = byte_alphabet();
    std::unordered_map<std::uint32_t, char> byte_of;
    for (std::uint32_t b = 0; b < 256; ++b) {
      byte_of[alphabet[b]] = static_cast<char>(b);
      std::string text;
      append_utf8(text, alphabet[b]);
      const auto found = by_text.find(text);
      byte_token_[b] = found == by_text.end() ? spec_.unk.value_or(-1) : found->second;
    }
    RETURN_IF_ERROR(build_added());
    build_bytes(byte_of);
    return build_merges(by_text);
  }

  absl::Status build_added() {
    control_.assign(spec_.tokens.size(), false);
    for (const auto& added : spec_.added) {
      if (added.id < 0 || static_cast<std::size_t>(added.id) >= spec_.tokens.size()) {
        return base::invalid_argument(
            fmt::format("[tokenizer] added token {} is outside the vocabulary", added.id));
      }
      if (added.text.empty()) continue;
      control_[static_cast<std::size_t>(added.id)] = added.special;
      added_by_first_[static_cast<unsigned char>(added.text[0])].push_back(&added);
    }
    for (auto& list : added_by_first_) {
      std::sort(list.begin(), list.end(),
                [](const auto* a, const auto* b) { return a->text.size() > b->text.size(); });
    }
    return absl::OkStatus();
  }

  void build_bytes(const std::unordered_map<std::uint32_t, char>& byte_of) {
    std::set<TokenId> literal;
    for (const auto& added : spec_.added) literal.insert(added.id);
    bytes_.resize(spec_.tokens.size());
    for (std::size_t i = 0; i < spec_.tokens.size(); ++i) {
      std::string_view text = spec_.tokens[i];
      std::string bytes;
      bool mapped = !literal.contains(static_cast<TokenId>(i));
      while (mapped && !text.empty()) {
        bool incomplete = false;
        const auto length = utf8_length(text, incomplete);
        const auto found =
            length == 0 ? byte_of.end() : byte_of.find(code_point(text.substr(0, length)));
        mapped = found != byte_of.end();
        if (mapped) {
          bytes += found->second;
          text.remove_prefix(length);
        }
      }
      bytes_[i] = mapped ? bytes : spec_.tokens[i];
    }
  }

  absl::Status build_merges(const std::unordered_map<std::string_view, TokenId>& by_text) {
    for (std::size_t rank = 0; rank < spec_.merges.size(); ++rank) {
      const std::string& merge = spec_.merges[rank];
      const auto space = merge.find(' ', 1);
      if (space == std::string::npos) {
        return base::invalid_argument(fmt::format("[tokenizer] merge {} has no two parts", rank));
      }
      const auto left = by_text.find(std::string_view(merge).substr(0, space));
      const auto right = by_text.find(std::string_view(merge).substr(space + 1));
      const std::string whole = merge.substr(0, space) + merge.substr(space + 1);
      const auto result = by_text.find(whole);
      // A merge of parts that no vocabulary entry names can never apply.
      if (left == by_text.end() || right == by_text.end() || result == by_text.end()) continue;
      merges_.try_emplace(pair_key(left->second, right->second),
                          Merge{static_cast<std::int32_t>(rank), result->second});
    }
    return absl::OkStatus();
  }

  static std::uint64_t pair_key(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }

  std::pair<std::size_t, const AddedToken*> next_added(std::string_view text,
                                                       bool parse_special) const {
    for (std::size_t i = 0; i < text.size(); ++i) {
      for (const auto* added : added_by_first_[static_cast<unsigned char>(text[i])]) {
        if (added->special && !parse_special) continue;
        if (text.substr(i).starts_with(added->text)) return {i, added};
      }
    }
    return {text.size(), nullptr};
  }

  // Merges by rank with a queue over a linked list: O(n log n), so that a hostile piece of a
  // megabyte costs what ordinary text of that size does.
  void encode_piece(std::string_view piece, std::vector<TokenId>& ids) const {
    struct Node {
      TokenId id;
      std::int32_t previous, next;
    };
    struct Candidate {
      std::int32_t rank, left;
      TokenId left_id, right_id, result;
      bool operator>(const Candidate& other) const {
        return rank != other.rank ? rank > other.rank : left > other.left;
      }
    };
    const auto count = static_cast<std::int32_t>(piece.size());
    std::vector<Node> nodes(piece.size());
    for (std::int32_t i = 0; i < count; ++i) {
      const auto byte = static_cast<unsigned char>(piece[static_cast<std::size_t>(i)]);
      nodes[static_cast<std::size_t>(i)] = {byte_token_[byte], i - 1, i + 1 < count ? i + 1 : -1};
    }
    const auto node = [&](std::int32_t i) -> Node& { return nodes[static_cast<std::size_t>(i)]; };
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
    const auto offer = [&](std::int32_t left) {
      if (left < 0 || node(left).next < 0) return;
      const TokenId a = node(left).id, b = node(node(left).next).id;
      const auto found = merges_.find(pair_key(a, b));
      if (found != merges_.end())
        queue.push({found->second.rank, left, a, b, found->second.result});
    };
    for (std::int32_t i = 0; i + 1 < count; ++i) offer(i);
    while (!queue.empty()) {
      const Candidate best = queue.top();
      queue.pop();
      const std::int32_t right = node(best.left).next;
      if (node(best.left).id != best.left_id || right < 0 || node(right).id != best.right_id)
        continue;
      node(best.left).id = best.result;
      node(best.left).next = node(right).next;
      if (node(right).next >= 0) node(node(right).next).previous = best.left;
      node(right).id = -1;
      offer(node(best.left).previous);
      offer(best.left);
    }
    for (std::int32_t i = count > 0 ? 0 : -1; i >= 0; i = node(i).next) {
      if (node(i).id >= 0) ids.push_back(node(i).id);
    }
  }

  const TokenizerSpec spec_;
  std::unique_ptr<PreTokenizer> splitter_;
  std::array<TokenId, 256> byte_token_{};
  std::vector<std::string> bytes_;
  std::vector<bool> control_;
  std::array<std::vector<const AddedToken*>, 256> added_by_first_;
  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> make_byte_level_bpe(TokenizerSpec spec) {
  return ByteLevelBpe::create(std::move(spec));
}

}  // namespace plinth::model
