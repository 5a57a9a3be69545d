#include "tensor/huge_allocator.h"

#include <sys/mman.h>

#include "base/units.h"

namespace plinth::tensor {

namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = 2u << 20;

std::align_val_t alignment_of(std::size_t bytes) {
  return std::align_val_t{bytes < kHugePage ? kLine : kHugePage};
}

}  // namespace

void* allocate_lines(std::size_t bytes) {
  void* memory = ::operator new(bytes, alignment_of(bytes));
  // Advice: a system without huge pages, or without this choice, keeps small ones. The end that
  // fills no page stays in small ones.
  if (bytes >= kHugePage) (void)::madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return memory;
}

void free_lines(void* memory, std::size_t bytes) { ::operator delete(memory, alignment_of(bytes)); }

}  // namespace plinth::tensor
