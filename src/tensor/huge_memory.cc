#include "tensor/huge_memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>

#include "base/units.h"

namespace plinth::tensor {

namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = 2u << 20;
// Address space, not memory: what a region does not need stays untouched.
constexpr std::size_t kRegionBytes = 256u << 20;

}  // namespace

HugeMemory::~HugeMemory() {
  for (const auto region : regions_) ::munmap(region.data(), region.size());
}

absl::StatusOr<std::span<std::uint8_t>> HugeMemory::take(std::size_t bytes) {
  bytes = base::round_up(bytes, kLine);
  if (rest_.size() < bytes) {
    const std::size_t size = base::round_up(std::max(bytes, kRegionBytes) + kHugePage, kHugePage);
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      return base::resource_exhausted(fmt::format("no memory for {} MiB more", bytes >> 20));
    }
    // Advice: a system without huge pages, or without this choice, keeps small ones.
    (void)::madvise(memory, size, MADV_HUGEPAGE);
    regions_.emplace_back(static_cast<std::uint8_t*>(memory), size);
    const auto start = reinterpret_cast<std::uintptr_t>(memory);
    rest_ = regions_.back().subspan(base::round_up<std::uintptr_t>(start, kHugePage) - start);
  }
  const auto taken = rest_.first(bytes);
  rest_ = rest_.subspan(bytes);
  return taken;
}

}  // namespace plinth::tensor
