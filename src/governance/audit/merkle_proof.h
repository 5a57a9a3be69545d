// Proofs of inclusion in RFC 9162's Merkle tree: that a record is one of those that a root covers,
// without the others.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plinth::governance {

// Section 2.1.3.1, of the leaves' hashes (merkle_leaf): from the leaf's sibling up to the root's
// child. `index` is one of them.
std::vector<std::string> merkle_path(std::span<const std::string> leaves, std::size_t index);

// Section 2.1.3.2.
bool merkle_includes(std::string_view leaf, std::uint64_t index, std::uint64_t size,
                     std::span<const std::string> path, std::string_view root);

}  // namespace plinth::governance
