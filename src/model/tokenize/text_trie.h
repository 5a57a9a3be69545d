// Finds the longest of many strings at a place in a text. A byte trie in one hash table.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace plinth::model {

class TextTrie {
 public:
  void add(std::string_view text, std::int32_t value);
  struct Match {
    std::size_t bytes = 0;  // 0: none
    std::int32_t value = -1;
  };
  // The longest string that `text` starts with.
  Match longest(std::string_view text) const;

 private:
  static std::uint64_t edge(std::uint32_t node, char byte) {
    return std::uint64_t{node} << 8 | static_cast<unsigned char>(byte);
  }
  struct Node {
    std::uint32_t index;
    std::int32_t value;  // -1: no string ends here
  };
  absl::flat_hash_map<std::uint64_t, Node> edges_;
  std::uint32_t nodes_ = 1;
};

}  // namespace plinth::model
