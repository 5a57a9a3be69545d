// The root of RFC 9162's Merkle tree over a list that only grows, in logarithmic memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace plinth::governance {

// Hashes are 32 raw bytes.
std::string merkle_leaf(std::string_view record);
std::string merkle_node(std::string_view left, std::string_view right);

class MerkleFrontier {
 public:
  void add(std::string_view record);
  std::int64_t size() const { return size_; }
  std::string root() const;  // of an empty list: the hash of nothing

  // The same in hex, for a row.
  std::string text() const;
  // InvalidArgument where `text` is none of that many records.
  static absl::StatusOr<MerkleFrontier> parse(std::int64_t size, std::string_view text);

 private:
  std::int64_t size_ = 0;
  // Roots of the perfect trees that the list is cut into, largest first: one for each bit of size_.
  std::vector<std::string> trees_;
};

}  // namespace plinth::governance
