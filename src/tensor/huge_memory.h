// The memory of packed weights, and of keys and values: few large regions in huge pages where the
// system gives them, since decoding a token reads all of it and 4 KiB pages cost a walk of the page
// tables each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"

namespace plinth::tensor {

// One thread at a time.
class HugeMemory {
 public:
  HugeMemory() = default;
  ~HugeMemory();
  HugeMemory(const HugeMemory&) = delete;
  HugeMemory& operator=(const HugeMemory&) = delete;

  // Zero, aligned to a cache line, valid as long as this is. Costs no memory until it is written,
  // by whichever thread writes first. ResourceExhausted.
  absl::StatusOr<std::span<std::uint8_t>> take(std::size_t bytes);

 private:
  std::vector<std::span<std::uint8_t>> regions_;
  std::span<std::uint8_t> rest_;  // of the last region
};

}  // namespace plinth::tensor
