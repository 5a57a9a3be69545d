#include "governance/audit/merkle_proof.h"

#include <gtest/gtest.h>

#include "governance/audit/merkle_frontier.h"

namespace plinth::governance {
namespace {

TEST(MerkleProof, ProvesEveryRecordOfEverySizeAndNothingElse) {
  MerkleFrontier frontier;
  std::vector<std::string> leaves;
  for (std::size_t size = 1; size <= 33; ++size) {
    frontier.add(std::to_string(size));
    leaves.push_back(merkle_leaf(std::to_string(size)));
    for (std::size_t index = 0; index < size; ++index) {
      auto path = merkle_path(leaves, index);
      const auto includes = [&](const std::string& leaf, std::size_t at, std::size_t of) {
        return merkle_includes(leaf, at, of, path, frontier.root());
      };
      ASSERT_TRUE(includes(leaves[index], index, size)) << index << " of " << size;
      ASSERT_FALSE(includes(merkle_leaf("other"), index, size));
      ASSERT_FALSE(includes(leaves[index], size, size));
      ASSERT_FALSE(size > 1 && includes(leaves[index], (index + 1) % size, size));
      path.push_back(leaves[0]);
      ASSERT_FALSE(includes(leaves[index], index, size)) << "a path that is too long";
      path.resize(path.size() - 1);
      if (path.empty()) continue;
      path.pop_back();
      ASSERT_FALSE(includes(leaves[index], index, size)) << "a path that is too short";
    }
  }
}

}  // namespace
}  // namespace plinth::governance
