// Memory for the large arrays that a forward pass works in: cache lines are whole, and from 2 MiB
// on it lies in huge pages where the system gives them. Tiles of a product touch 16 rows of it at a
// time, each in pages of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace plinth::tensor {

// Aligned to a cache line at least. Throws std::bad_alloc. free_lines() gets the same size.
void* allocate_lines(std::size_t bytes);
void free_lines(void* memory, std::size_t bytes);

template <typename T>
struct HugeAllocator {
  using value_type = T;
  HugeAllocator() = default;
  template <typename U>
  HugeAllocator(const HugeAllocator<U>&) {}  // NOLINT(google-explicit-constructor)
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_lines(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t count) { free_lines(memory, count * sizeof(T)); }
  bool operator==(const HugeAllocator&) const { return true; }
};

// Of rows of so many numbers that tiles of a product write: where they lay a power of two apart,
// all lines of a tile would share a few sets of the cache.
constexpr std::int64_t row_stride(std::int64_t columns) {
  return columns % 1024 == 0 ? columns + 16 : columns;
}

using HugeFloats = std::vector<float, HugeAllocator<float>>;

}  // namespace plinth::tensor
