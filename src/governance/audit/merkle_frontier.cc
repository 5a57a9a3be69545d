#include "governance/audit/merkle_frontier.h"

#include <algorithm>
#include <bit>

#include "absl/strings/escaping.h"
#include "governance/sign_in/keyed_hash.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kHexDigits = 64;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

// RFC 9162, section 2.1.1: leaves and nodes are told apart by their first byte.
std::string merkle_leaf(std::string_view record) {
  std::string bytes(1, '\0');
  return sha256(bytes.append(record));
}

std::string merkle_node(std::string_view left, std::string_view right) {
  std::string bytes(1, '\1');
  return sha256(bytes.append(left).append(right));
}

void MerkleFrontier::add(std::string_view record) {
  auto tree = merkle_leaf(record);
  for (auto left = size_; (left & 1) != 0; left >>= 1) {
    tree = merkle_node(trees_.back(), tree);
    trees_.pop_back();
  }
  trees_.push_back(std::move(tree));
  ++size_;
}

std::string MerkleFrontier::root() const {
  if (trees_.empty()) return sha256("");
  auto root = trees_.back();
  for (auto tree = trees_.rbegin() + 1; tree != trees_.rend(); ++tree)
    root = merkle_node(*tree, root);
  return root;
}

std::string MerkleFrontier::text() const {
  std::string out;
  for (const auto& tree : trees_) out += absl::BytesToHexString(tree);
  return out;
}

absl::StatusOr<MerkleFrontier> MerkleFrontier::parse(std::int64_t size, std::string_view text) {
  const auto trees = static_cast<std::size_t>(std::popcount(static_cast<std::uint64_t>(size)));
  if (size < 0 || text.size() != trees * kHexDigits || !is_hex(text))
    return base::invalid_argument("[audit] no frontier of that size");
  MerkleFrontier frontier;
  frontier.size_ = size;
  for (; !text.empty(); text.remove_prefix(kHexDigits)) {
    frontier.trees_.push_back(absl::HexStringToBytes(base::to_absl(text.substr(0, kHexDigits))));
  }
  return frontier;
}

}  // namespace plinth::governance
