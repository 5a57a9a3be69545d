// What a product allocates, counted by the address sanitizer's hooks: nothing, where its workspace
// has seen one like it.
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "tensor/gemm.h"

// The sanitizer's own header is not installed everywhere.
extern "C" __attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(
    void (*on_allocation)(const volatile void*, std::size_t),
    void (*on_free)(const volatile void*));

namespace plinth::tensor {
namespace {

std::atomic<bool> counting{false};
std::atomic<int> allocations{0};

void on_allocation(const volatile void*, std::size_t) {
  if (counting) ++allocations;
}
void on_free(const volatile void*) {}

TEST(GemmMemory, AWarmWorkspaceAllocatesNothing) {
  if (__sanitizer_install_malloc_and_free_hooks == nullptr) {
    GTEST_SKIP() << "allocations are counted with the address sanitizer alone";
  }
  static const int installed = __sanitizer_install_malloc_and_free_hooks(on_allocation, on_free);
  ASSERT_GT(installed, 0);
  const std::vector<float> a(70 * 300, 1), b(300 * 90, 1);
  std::vector<float> c(70 * 90);
  Gemm product;
  product.m = 70;
  product.n = 90;
  product.k = 300;
  product.a = {a.data(), 300, false, DType::f32};
  product.b = {b.data(), 90, false, DType::f32};
  product.c = c.data();
  product.ldc = 90;
  base::ThreadPool pool(2);
  for (const auto precision : {GemmPrecision::f32, GemmPrecision::bf16}) {
    for (Isa isa : supported_isas()) {
      GemmWorkspace workspace;
      const auto allocated = [&](std::int64_t m) {
        product.m = m;
        allocations = 0;
        counting = true;
        gemm(product, precision, isa, workspace, pool);
        counting = false;
        return allocations.load();
      };
      EXPECT_GT(allocated(70), 0) << isa_name(isa);
      EXPECT_EQ(allocated(70), 0) << isa_name(isa);
      EXPECT_EQ(allocated(33), 0) << isa_name(isa);
    }
  }
}

}  // namespace
}  // namespace plinth::tensor
