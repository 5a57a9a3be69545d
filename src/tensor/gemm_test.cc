#include "tensor/gemm.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tensor/x86/gemm_kernels.h"

namespace plinth::tensor {
namespace {

struct Shape {
  std::int64_t m, n, k;
};

// Around the edges of every kernel's register tile: 4x8, 6x16, 14x32 and 32x32, with 32 of k.
constexpr Shape kShapes[] = {{1, 1, 1},    {1, 17, 33},  {2, 16, 31},  {5, 9, 3},    {6, 16, 32},
                             {13, 31, 64}, {14, 32, 65}, {15, 33, 15}, {16, 15, 17}, {17, 1, 16},
                             {29, 47, 96}, {31, 64, 1},  {32, 32, 32}, {33, 48, 30}, {64, 65, 100}};

std::uint16_t upper_half(float value) {
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
}

// A stored matrix of random numbers, as fp32 or BF16, with rows longer than they need to be.
struct Stored {
  std::vector<float> floats;
  std::vector<std::uint16_t> halves;
  GemmOperand operand;

  Stored(std::int64_t rows, std::int64_t columns, bool transposed, unsigned seed,
         DType dtype = DType::f32) {
    if (transposed) std::swap(rows, columns);
    const std::int64_t ld = columns + seed % 4;
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    // Exactly as many as a matrix needs whose last row is no longer than its columns.
    floats.resize(static_cast<std::size_t>((rows - 1) * ld + columns));
    for (float& value : floats) value = normal(random);
    for (float value : floats) halves.push_back(upper_half(value));
    operand = {floats.data(), ld, transposed, dtype};
    if (dtype == DType::bf16) operand.data = halves.data();
  }
  float& at(std::int64_t row, std::int64_t column) {
    if (operand.transposed) std::swap(row, column);
    return floats[static_cast<std::size_t>(row * operand.ld + column)];
  }
};

struct Output {
  std::vector<float> numbers;
  std::int64_t n, ldc;

  Output(std::int64_t m, std::int64_t columns) : n(columns), ldc(columns + 3) {
    std::mt19937 random(99);
    std::normal_distribution<float> normal;
    numbers.resize(static_cast<std::size_t>(m * ldc));
    for (float& value : numbers) value = normal(random);
  }
  float at(std::int64_t row, std::int64_t column) const {
    return numbers[static_cast<std::size_t>(row * ldc + column)];
  }
};

Gemm product_of(const Shape& shape, const Stored& a, const Stored& b, Output& c, bool accumulate) {
  Gemm product;
  product.m = shape.m;
  product.n = shape.n;
  product.k = shape.k;
  product.a = a.operand;
  product.b = b.operand;
  product.c = c.numbers.data();
  product.ldc = c.ldc;
  product.accumulate = accumulate;
  return product;
}

void run(const Gemm& product, GemmPrecision precision, Isa isa, int threads = 1) {
  base::ThreadPool pool(threads);
  GemmWorkspace workspace;
  gemm(product, precision, isa, workspace, pool);
}

// The same bits, where one NaN is as good as another.
testing::AssertionResult same_bits(const Output& got, const Output& wanted) {
  for (std::size_t i = 0; i < wanted.numbers.size(); ++i) {
    const float x = got.numbers[i], y = wanted.numbers[i];
    if (std::isnan(x) && std::isnan(y)) continue;
    if (std::bit_cast<std::uint32_t>(x) != std::bit_cast<std::uint32_t>(y)) {
      return testing::AssertionFailure()
             << "row " << i / static_cast<std::size_t>(wanted.ldc) << " column "
             << i % static_cast<std::size_t>(wanted.ldc) << " is " << x << " instead of " << y;
    }
  }
  return testing::AssertionSuccess();
}

// Of the whole of C, as a share of its norm.
double distance(const Output& got, const Output& wanted) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < wanted.numbers.size(); ++i) {
    const double off = double{got.numbers[i]} - wanted.numbers[i];
    error += off * off;
    norm += double{wanted.numbers[i]} * wanted.numbers[i];
  }
  return std::sqrt(error / norm);
}

bool adds_in_fp32(GemmPrecision precision, Isa isa) {
  return precision == GemmPrecision::f32 || !multiplies_bfloat(isa);
}

std::string name_of(const Gemm& product, Isa isa) {
  return std::string(isa_name(isa)) + " " + std::to_string(product.m) + "x" +
         std::to_string(product.n) + "x" + std::to_string(product.k) +
         (product.a.transposed ? " t" : " n") + (product.b.transposed ? "t" : "n") +
         (product.accumulate ? " +=" : " =");
}

// Every set against the reference: to the bit where it adds as that does.
void expect_as_reference(const Shape& shape, GemmPrecision precision, bool transposed_a,
                         bool transposed_b, bool accumulate, DType dtype = DType::f32) {
  const Stored a(shape.m, shape.k, transposed_a, 1, dtype);
  const Stored b(shape.k, shape.n, transposed_b, 2, dtype);
  Output wanted(shape.m, shape.n);
  gemm_reference(product_of(shape, a, b, wanted, accumulate), precision);
  for (Isa isa : supported_isas()) {
    // Slow, and its loops know no chunks.
    if (isa == Isa::scalar && shape.m * shape.n * shape.k > 1'000'000) continue;
    Output got(shape.m, shape.n);
    const Gemm product = product_of(shape, a, b, got, accumulate);
    run(product, precision, isa);
    if (adds_in_fp32(precision, isa)) {
      EXPECT_TRUE(same_bits(got, wanted)) << name_of(product, isa);
    } else {
      EXPECT_LT(distance(got, wanted), 1e-5) << name_of(product, isa);
    }
  }
}

void expect_all_as_reference(GemmPrecision precision, DType dtype) {
  for (const Shape& shape : kShapes) {
    for (int form = 0; form < 8; ++form) {
      expect_as_reference(shape, precision, form & 1, form & 2, form & 4, dtype);
    }
  }
}

TEST(Gemm, AllSetsGiveTheReferencesBitsInFp32) {
  expect_all_as_reference(GemmPrecision::f32, DType::f32);
}

TEST(Gemm, RoundsFp32ToBfloatAsTheReference) {
  expect_all_as_reference(GemmPrecision::bf16, DType::f32);
}

TEST(Gemm, MultipliesStoredBfloat) {
  expect_all_as_reference(GemmPrecision::bf16, DType::bf16);
  expect_all_as_reference(GemmPrecision::f32, DType::bf16);
}

// More of k than one chunk or one pass has, and more columns than one chunk, which are 1,024 of
// fp32 and 2,048 of BF16 where k is 2,048.
TEST(Gemm, ChunksAreNotSeen) {
  for (const Shape& shape :
       {Shape{2, 3, 4200}, Shape{230, 3, 700}, Shape{3, 530, 700}, Shape{520, 130, 17}}) {
    for (int form : {1, 2}) {
      expect_as_reference(shape, GemmPrecision::f32, form & 1, form & 2, form == 1);
      expect_as_reference(shape, GemmPrecision::bf16, form & 1, form & 2, form == 1);
    }
  }
  expect_as_reference({1, 1080, 2040}, GemmPrecision::f32, false, true, true);
  expect_as_reference({1, 2090, 2040}, GemmPrecision::bf16, true, false, true);
}

// What one number of C is by TDPBF16PS, written out.
float flushed(float value) {
  return std::fabs(value) < std::numeric_limits<float>::min() ? std::copysign(0.0f, value) : value;
}
float by_tiles(Stored& a, Stored& b, std::int64_t row, std::int64_t column, std::int64_t k) {
  float sum = 0;
  for (std::int64_t block = 0; block < k; block += 32) {
    float parts[2] = {};
    for (auto i = block; i < std::min(block + 32, k); ++i) {
      float& part = parts[i % 2];
      part = flushed(std::fma(a.at(row, i), b.at(i, column), part));
    }
    sum = flushed(sum + flushed(parts[0] + parts[1]));
  }
  return sum;
}

TEST(Gemm, AmxAddsBlocksOf32InTheOrderThatIsWritten) {
  if (best_isa() < Isa::amx) GTEST_SKIP() << "this machine has no AMX";
  for (const Shape& shape : {Shape{33, 35, 31}, Shape{7, 40, 1000}, Shape{20, 3, 4200}}) {
    Stored a(shape.m, shape.k, false, 3), b(shape.k, shape.n, true, 4);
    for (float& value : a.floats) value = std::bit_cast<float>(upper_half(value) * 65536u);
    for (float& value : b.floats) value = std::bit_cast<float>(upper_half(value) * 65536u);
    Output got(shape.m, shape.n), wanted(shape.m, shape.n);
    for (std::int64_t r = 0; r < shape.m; ++r) {
      for (std::int64_t c = 0; c < shape.n; ++c) {
        wanted.numbers[static_cast<std::size_t>(r * wanted.ldc + c)] =
            by_tiles(a, b, r, c, shape.k);
      }
    }
    const Gemm product = product_of(shape, a, b, got, false);
    run(product, GemmPrecision::bf16, Isa::amx);
    EXPECT_TRUE(same_bits(got, wanted)) << name_of(product, Isa::amx);
  }
}

TEST(Gemm, BitsDoNotDependOnThreads) {
  const Shape shape{270, 330, 700};
  for (const auto precision : {GemmPrecision::f32, GemmPrecision::bf16}) {
    for (Isa isa : supported_isas()) {
      if (isa == Isa::scalar) continue;  // slow, and the same loops
      for (int form = 0; form < 4; ++form) {
        const Stored a(shape.m, shape.k, form & 1, 5), b(shape.k, shape.n, form & 2, 6);
        Output alone(shape.m, shape.n);
        run(product_of(shape, a, b, alone, true), precision, isa);
        for (int threads = 2; threads <= 4; ++threads) {
          Output together(shape.m, shape.n);
          const Gemm product = product_of(shape, a, b, together, true);
          run(product, precision, isa, threads);
          EXPECT_TRUE(same_bits(together, alone)) << name_of(product, isa) << " " << threads;
        }
      }
    }
  }
}

TEST(Gemm, ARowDependsOnItsOwnRowAlone) {
  const Shape shape{70, 45, 333};
  const Stored a(shape.m, shape.k, false, 7), b(shape.k, shape.n, true, 8);
  for (const auto precision : {GemmPrecision::f32, GemmPrecision::bf16}) {
    for (Isa isa : supported_isas()) {
      Output all(shape.m, shape.n);
      run(product_of(shape, a, b, all, false), precision, isa);
      for (std::int64_t row : {0, 13, 31, 32, 69}) {
        Output one(1, shape.n);
        Gemm product = product_of({1, shape.n, shape.k}, a, b, one, false);
        product.a.data = a.floats.data() + row * a.operand.ld;
        run(product, precision, isa);
        for (std::int64_t c = 0; c < shape.n; ++c) {
          ASSERT_EQ(std::bit_cast<std::uint32_t>(one.at(0, c)),
                    std::bit_cast<std::uint32_t>(all.at(row, c)))
              << name_of(product, isa) << " row " << row << " column " << c;
        }
      }
    }
  }
}

TEST(Gemm, WhatIsNoNumberPassesThroughItsOwnRowsAlone) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Shape shape{35, 37, 50};
  for (int form = 0; form < 4; ++form) {
    Stored a(shape.m, shape.k, form & 1, 9), b(shape.k, shape.n, form & 2, 10);
    a.at(3, 49) = std::numeric_limits<float>::quiet_NaN();
    // Its payload is all in the half that rounding takes away.
    a.at(34, 0) = std::bit_cast<float>(0x7f800001u);
    a.at(5, 7) = kInfinity;
    b.at(7, 36) = -kInfinity;
    b.at(8, 36) = 1e38f;
    for (const auto precision : {GemmPrecision::f32, GemmPrecision::bf16}) {
      for (Isa isa : supported_isas()) {
        Output c(shape.m, shape.n);
        const Gemm product = product_of(shape, a, b, c, false);
        run(product, precision, isa);
        for (std::int64_t row = 0; row < shape.m; ++row) {
          for (std::int64_t column = 0; column < shape.n; ++column) {
            const float value = c.at(row, column);
            if (row == 3 || row == 34) {
              ASSERT_TRUE(std::isnan(value)) << name_of(product, isa) << row << " " << column;
            } else {
              ASSERT_EQ(std::isinf(value), row == 5 || column == 36)
                  << name_of(product, isa) << row << " " << column << " " << value;
            }
          }
        }
      }
    }
  }
}

TEST(Gemm, NothingToMultiply) {
  const Stored a(4, 4, false, 11), b(4, 4, false, 12);
  for (const auto precision : {GemmPrecision::f32, GemmPrecision::bf16}) {
    for (Isa isa : supported_isas()) {
      for (bool accumulate : {false, true}) {
        const Output before(3, 5);
        for (const Shape& shape : {Shape{0, 5, 4}, Shape{3, 0, 4}, Shape{3, 5, 0}}) {
          Output c(3, 5);
          run(product_of(shape, a, b, c, accumulate), precision, isa);
          const bool cleared = shape.k == 0 && !accumulate;
          for (std::int64_t i = 0; i < 15; ++i) {
            EXPECT_EQ(c.at(i / 5, i % 5), cleared ? 0 : before.at(i / 5, i % 5));
          }
          EXPECT_EQ(c.numbers[5], before.numbers[5]);  // between two rows
        }
      }
    }
  }
}

TEST(Gemm, APackedOperandGivesTheSameBits) {
  base::ThreadPool pool(2);
  GemmWorkspace workspace;
  for (const Shape& shape : {Shape{20, 45, 70}, Shape{2, 40, 4200}, Shape{1, 2090, 2040}}) {
    for (bool transposed : {false, true}) {
      const Stored a(shape.m, shape.k, false, 13), b(shape.k, shape.n, transposed, 14);
      for (const auto precision : {GemmPrecision::f32, GemmPrecision::bf16}) {
        for (Isa isa : supported_isas()) {
          if (isa == Isa::scalar && shape.n > 1000) continue;  // slow
          Output plain(shape.m, shape.n), packed(shape.m, shape.n);
          gemm(product_of(shape, a, b, plain, true), precision, isa, workspace, pool);
          const auto operand =
              PackedOperand::pack(b.operand, shape.k, shape.n, precision, isa, pool);
          Gemm product = product_of(shape, a, b, packed, true);
          product.b = {};
          product.packed_b = &operand;
          gemm(product, precision, isa, workspace, pool);
          EXPECT_TRUE(same_bits(packed, plain)) << name_of(product, isa);
        }
      }
    }
  }
}

// Rounded without an instruction for it, which AVX-512 does on few machines: ties, what becomes
// infinite, and a NaN whose payload is all in the lower half.
TEST(Gemm, RoundsWhilePackingAsTheReference) {
  std::vector<const GemmKernel*> kernels = {&kGemmScalarRounded};
  if (best_isa() >= Isa::avx2) kernels.push_back(&kGemmAvx2Rounded);
  if (best_isa() >= Isa::avx512) kernels.push_back(&kGemmAvx512Rounded);
  const std::uint32_t numbers[][2] = {
      {0x3f808000, 0x3f800000}, {0x3f818000, 0x3f820000}, {0x3f808001, 0x3f810000},
      {0xbf817fff, 0xbf810000}, {0x7f7fffff, 0x7f800000}, {0x7f800000, 0x7f800000},
      {0x7f800001, 0x7fc00000}, {0x80000000, 0x80000000}, {0x3f800000, 0x3f800000}};
  for (const GemmKernel* kernel : kernels) {
    for (const auto& [number, wanted] : numbers) {
      const std::vector<float> stored(37, std::bit_cast<float>(number));
      for (const bool along_k : {false, true}) {
        const auto bytes = kernel->panel_bytes(kernel->rows, 37);
        std::vector<std::uint32_t> panel(static_cast<std::size_t>(bytes / 4), 1);
        PackTask task;
        task.from = {stored.data(), along_k ? 37 : 1, !along_k, DType::f32};
        task.along_k = along_k;
        task.width = task.last = 1;
        task.k = task.k_last = 37;
        task.to = reinterpret_cast<std::byte*>(panel.data());
        task.panel_bytes = bytes;
        kernel->pack_a(task);
        for (std::size_t i = 0; i < 37 * static_cast<std::size_t>(kernel->rows); ++i) {
          const bool first = i % static_cast<std::size_t>(kernel->rows) == 0;
          ASSERT_EQ(panel[i], first ? wanted : 0) << kernel->rows << " " << i << std::hex << number;
        }
      }
    }
  }
}

// One workspace for products of all shapes: what an earlier one left behind is not read.
TEST(Gemm, AWorkspaceIsUsedAgain) {
  base::ThreadPool pool(2);
  for (Isa isa : supported_isas()) {
    GemmWorkspace workspace;
    for (const Shape& shape : {Shape{64, 65, 100}, Shape{5, 9, 3}, Shape{33, 48, 30}}) {
      Stored a(shape.m, shape.k, true, 15), b(shape.k, shape.n, false, 16);
      if (shape.m == 64) {
        for (float& value : a.floats) value = std::numeric_limits<float>::quiet_NaN();
      }
      Output got(shape.m, shape.n), wanted(shape.m, shape.n);
      gemm(product_of(shape, a, b, got, false), GemmPrecision::bf16, isa, workspace, pool);
      run(product_of(shape, a, b, wanted, false), GemmPrecision::bf16, isa);
      EXPECT_TRUE(same_bits(got, wanted)) << isa_name(isa);
    }
  }
}

}  // namespace
}  // namespace plinth::tensor
