#include "governance/audit/merkle_proof.h"

#include <bit>

#include "governance/audit/merkle_frontier.h"

namespace plinth::governance {

namespace {

std::string root_of(std::span<const std::string> leaves) {
  if (leaves.size() == 1) return leaves[0];
  const auto left = std::bit_floor(leaves.size() - 1);
  return merkle_node(root_of(leaves.first(left)), root_of(leaves.subspan(left)));
}

}  // namespace

std::vector<std::string> merkle_path(std::span<const std::string> leaves, std::size_t index) {
  if (leaves.size() == 1) return {};
  const auto left = std::bit_floor(leaves.size() - 1);
  const bool is_left = index < left;
  auto path = is_left ? merkle_path(leaves.first(left), index)
                      : merkle_path(leaves.subspan(left), index - left);
  path.push_back(root_of(is_left ? leaves.subspan(left) : leaves.first(left)));
  return path;
}

bool merkle_includes(std::string_view leaf, std::uint64_t index, std::uint64_t size,
                     std::span<const std::string> path, std::string_view root) {
  if (index >= size) return false;
  auto node = index, last = size - 1;
  std::string hash(leaf);
  for (const auto& sibling : path) {
    if (last == 0) return false;
    if ((node & 1) != 0 || node == last) {
      hash = merkle_node(sibling, hash);
      while ((node & 1) == 0 && node != 0) {
        node >>= 1;
        last >>= 1;
      }
    } else {
      hash = merkle_node(hash, sibling);
    }
    node >>= 1;
    last >>= 1;
  }
  return last == 0 && hash == root;
}

}  // namespace plinth::governance
