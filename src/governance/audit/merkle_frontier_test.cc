#include "governance/audit/merkle_frontier.h"

#include <gtest/gtest.h>

#include <span>

#include "absl/strings/escaping.h"

namespace plinth::governance {
namespace {

// RFC 9162, section 2.1.1, as it is written there.
std::string naive_root(std::span<const std::string> records) {
  if (records.size() == 1) return merkle_leaf(records[0]);
  std::size_t left = 1;
  while (2 * left < records.size()) left *= 2;
  return merkle_node(naive_root(records.first(left)), naive_root(records.subspan(left)));
}

TEST(MerkleFrontier, IsTheTreeOfRfc9162) {
  MerkleFrontier frontier;
  EXPECT_EQ(absl::BytesToHexString(frontier.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  std::vector<std::string> records;
  for (int i = 0; i < 70; ++i) {
    records.push_back("record " + std::to_string(i));
    frontier.add(records.back());
    ASSERT_EQ(frontier.root(), naive_root(records)) << i;
  }
}

// Of certificate transparency's reference implementation: the leaves "" and 00.
TEST(MerkleFrontier, AgreesWithPublishedRoots) {
  MerkleFrontier frontier;
  frontier.add("");
  EXPECT_EQ(absl::BytesToHexString(frontier.root()),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  frontier.add(std::string(1, '\0'));
  EXPECT_EQ(absl::BytesToHexString(frontier.root()),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
}

TEST(MerkleFrontier, GoesOnFromItsText) {
  MerkleFrontier whole;
  for (int i = 0; i < 13; ++i) whole.add(std::to_string(i));
  auto again = MerkleFrontier::parse(13, whole.text());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->root(), whole.root());
  whole.add("more");
  again->add("more");
  EXPECT_EQ(again->root(), whole.root());
  EXPECT_FALSE(MerkleFrontier::parse(12, again->text()).ok());
  EXPECT_FALSE(MerkleFrontier::parse(-1, "").ok());
  auto text = again->text();
  text[5] = 'g';
  EXPECT_FALSE(MerkleFrontier::parse(14, text).ok());
}

}  // namespace
}  // namespace plinth::governance
