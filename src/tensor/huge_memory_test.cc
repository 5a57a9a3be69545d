#include "tensor/huge_memory.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace plinth::tensor {
namespace {

TEST(HugeMemory, GivesZeroedLinesThatDoNotOverlap) {
  HugeMemory memory;
  std::vector<std::span<std::uint8_t>> taken;
  // More than one region in all, and one that is larger than a region.
  for (const std::size_t bytes : {1ul, 64ul, 100ul, 200ul << 20, 200ul << 20, 300ul << 20, 7ul}) {
    const auto span = memory.take(bytes);
    ASSERT_TRUE(span.ok()) << span.status();
    EXPECT_GE(span->size(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(span->data()) % 64, 0u);
    for (auto& end : {span->first(1), span->last(1)}) {
      EXPECT_EQ(end[0], 0);
      end[0] = 1;
    }
    taken.push_back(*span);
  }
  std::sort(taken.begin(), taken.end(),
            [](const auto& a, const auto& b) { return a.data() < b.data(); });
  for (std::size_t i = 1; i < taken.size(); ++i) {
    EXPECT_LE(taken[i - 1].data() + taken[i - 1].size(), taken[i].data());
  }
}

TEST(HugeMemory, WhatNoMachineHasIsAnError) {
  HugeMemory memory;
  EXPECT_EQ(memory.take(std::size_t{1} << 60).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(memory.take(64).ok());
}

}  // namespace
}  // namespace plinth::tensor
