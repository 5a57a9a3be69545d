#include "tensor/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/file.h"
#include "tensor/aligned_scratch.h"
#include "tensor/dtype.h"
#include "tests/support/source_dir.h"

namespace plinth::tensor {
namespace {

constexpr DType kAll[] = {DType::f32,  DType::f16,  DType::bf16, DType::q8_0,   DType::q4_0,
                          DType::q4_1, DType::q5_0, DType::q5_1, DType::q2_k,   DType::q3_k,
                          DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_nl, DType::iq4_xs};

struct Golden {
  int block_bytes = 0, elements = 0;
  std::string bytes;  // 8 blocks
  std::vector<float> values;
};

Golden read_golden(DType dtype) {
  const auto file = base::read_file(
      source_dir() + "/tests/golden/quant/" + std::string(dtype_info(dtype).name) + ".bin",
      1 << 20);
  Golden golden;
  if (!file.ok()) return golden;
  std::memcpy(&golden.block_bytes, file->data(), 4);
  std::memcpy(&golden.elements, file->data() + 4, 4);
  golden.bytes = file->substr(8, static_cast<std::size_t>(8 * golden.block_bytes));
  golden.values.resize(static_cast<std::size_t>(8 * golden.elements));
  std::memcpy(golden.values.data(), file->data() + 8 + golden.bytes.size(),
              golden.values.size() * 4);
  return golden;
}

TEST(DType, DequantisesAsTheGgufPackageDoes) {
  for (DType dtype : kAll) {
    if (dtype_info(dtype).block_elements == 1) continue;
    const Golden golden = read_golden(dtype);
    ASSERT_EQ(golden.block_bytes, dtype_info(dtype).block_bytes) << dtype_info(dtype).name;
    ASSERT_EQ(golden.elements, dtype_info(dtype).block_elements);
    std::vector<float> out(golden.values.size());
    dequantize_row(dtype, reinterpret_cast<const std::uint8_t*>(golden.bytes.data()), out.data(),
                   static_cast<std::int64_t>(out.size()));
    for (std::size_t i = 0; i < out.size(); ++i) {
      ASSERT_NEAR(out[i], golden.values[i], 1e-6f * (1 + std::fabs(golden.values[i])))
          << dtype_info(dtype).name << " element " << i;
    }
  }
}

// Rows of random blocks with the golden files' scales: real bit patterns of every type.
struct Matrix {
  std::vector<std::uint8_t> bytes;
  MatrixView view;
};

Matrix random_matrix(DType dtype, std::int64_t rows, std::int64_t columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.05f);
  Matrix matrix;
  matrix.bytes.resize(static_cast<std::size_t>(rows) * row_bytes(dtype, columns));
  const auto& info = dtype_info(dtype);
  const Golden golden = info.block_elements > 1 ? read_golden(dtype) : Golden{};
  for (std::size_t at = 0; at < matrix.bytes.size();
       at += static_cast<std::size_t>(info.block_bytes)) {
    if (info.block_elements > 1) {
      std::memcpy(&matrix.bytes[at], golden.bytes.data() + random() % 8 * golden.block_bytes,
                  static_cast<std::size_t>(info.block_bytes));
      continue;
    }
    const float value = normal(random);
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, 4);
    if (dtype == DType::f32) {
      std::memcpy(&matrix.bytes[at], &bits, 4);
    } else {
      // The top half of an fp32 is a bf16; as an fp16 the same bits are some other finite number.
      const auto half = static_cast<std::uint16_t>(bits >> 16 & 0xbfff);
      std::memcpy(&matrix.bytes[at], &half, 2);
    }
  }
  matrix.view = {matrix.bytes.data(), dtype, rows, columns};
  return matrix;
}

std::vector<float> random_rows(int m, std::int64_t columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(m * columns));
  for (float& value : x) value = normal(random);
  return x;
}

std::vector<float> multiply(const PackedLinear& linear, const float* x, int m, int threads) {
  base::ThreadPool pool(threads);
  Activations activations;
  std::vector<float> y(static_cast<std::size_t>(m * linear.rows()), -1.0f);
  linear.prepare(x, linear.columns(), m, activations, pool);
  linear.multiply(activations, m, y.data(), linear.rows(), pool);
  return y;
}

float same(float value) { return value; }

// Of y, [m, rows], from the product in double precision of what `weight` and `activation` make of
// the two sides, as a share of its norm.
double relative_error(const Matrix& w, const std::vector<float>& x, const std::vector<float>& y,
                      float (*weight)(float) = same, float (*activation)(float) = same) {
  const auto [data, dtype, rows, columns] = w.view;
  std::vector<float> row(static_cast<std::size_t>(columns));
  double error = 0, norm = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    dequantize_row(dtype, data + static_cast<std::size_t>(r) * row_bytes(dtype, columns),
                   row.data(), columns);
    for (std::int64_t t = 0; t * rows < static_cast<std::int64_t>(y.size()); ++t) {
      double sum = 0;
      for (std::int64_t c = 0; c < columns; ++c) {
        sum += static_cast<double>(weight(row[static_cast<std::size_t>(c)])) *
               activation(x[static_cast<std::size_t>(t * columns + c)]);
      }
      const double off = y[static_cast<std::size_t>(t * rows + r)] - sum;
      error += off * off;
      norm += sum * sum;
    }
  }
  return std::sqrt(error / norm);
}

TEST(Linear, EveryTypeAndInstructionSetIsNearTheExactProduct) {
  for (DType dtype : kAll) {
    const Matrix w = random_matrix(dtype, 37, 512, 1);
    const auto x = random_rows(5, 512, 2);
    for (Isa isa : supported_isas()) {
      for (LinearMode mode : {LinearMode::exact, LinearMode::fast}) {
        const auto linear = pack_linear({&w.view, 1}, {isa, mode});
        ASSERT_TRUE(linear.ok());
        // 8-bit activations: half a step of 1/127 of the block's largest, about 0.5 % of the norm.
        EXPECT_LT(relative_error(w, x, multiply(**linear, x.data(), 5, 2)),
                  mode == LinearMode::exact ? 1e-5 : 0.012)
            << dtype_info(dtype).name << " " << isa_name(isa);
      }
    }
  }
}

// Promise 3 stands on this: a row's bits do not depend on the other rows or on the threads.
TEST(Linear, BitsDependOnNeitherBatchNorThreads) {
  for (DType dtype : {DType::q4_1, DType::q8_0, DType::q5_1, DType::q6_k, DType::iq4_xs,
                      DType::q2_k, DType::f16, DType::bf16}) {
    const Matrix w = random_matrix(dtype, 100, 256, 3);
    const auto x = random_rows(150, 256, 4);
    for (Isa isa : supported_isas()) {
      const auto linear = pack_linear({&w.view, 1}, {isa, LinearMode::fast});
      const auto all = multiply(**linear, x.data(), 150, 1);
      for (int threads : {1, 2, 3}) {
        for (int m : {1, 2, 3, 8, 16, 18, 33, 128}) {
          for (int from : {0, 13}) {
            const auto part = multiply(**linear, x.data() + from * 256, m, threads);
            ASSERT_EQ(std::memcmp(part.data(), all.data() + from * 100, part.size() * 4), 0)
                << dtype_info(dtype).name << " " << isa_name(isa) << " m=" << m;
          }
        }
      }
    }
  }
}

// The reference of the compact kernels, bit by bit: every type, rows that fill no group, few and
// many tokens, and rows long enough that the sums pause between ranges of blocks.
TEST(Linear, EveryInstructionSetHasTheBitsOfTheScalarReference) {
  for (DType dtype : kAll) {
    if (dtype_info(dtype).block_elements == 1) continue;
    for (std::int64_t columns : {256, 4096 + 256}) {
      const Matrix w = random_matrix(dtype, 37, columns, 12);
      const auto x = random_rows(71, columns, 13);
      const auto reference = *pack_linear({&w.view, 1}, {Isa::scalar, LinearMode::fast});
      for (int m : {1, 2, 3, 4, 5, 7, 17, 71}) {
        const auto expected = multiply(*reference, x.data(), m, 1);
        for (Isa isa : supported_isas()) {
          const auto vectors = *pack_linear({&w.view, 1}, {isa, LinearMode::fast});
          const auto y = multiply(*vectors, x.data(), m, 2);
          for (std::size_t i = 0; i < y.size(); ++i) {
            ASSERT_EQ(y[i], expected[i]) << dtype_info(dtype).name << " " << isa_name(isa)
                                         << " columns " << columns << " m " << m << " at " << i;
          }
        }
      }
    }
  }
}

// Every row in bulk.
std::vector<float> multiply_bulk(const PackedLinear& linear, const float* x, int m, int threads) {
  base::ThreadPool pool(threads);
  Activations activations;
  std::vector<float> y(static_cast<std::size_t>(m * linear.rows()), -1.0f);
  linear.prepare(x, linear.columns(), Rows(m, 0), activations, pool);
  linear.multiply(activations, m, y.data(), linear.rows(), pool);
  return y;
}

float rounded_to_bfloat(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  std::memcpy(&value, &bits, 4);
  return value;
}

// To fp16's 11 significant bits, and from there to 8, halves away from zero.
float rounded_by_half(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0xfff + (bits >> 13 & 1)) & 0xffffe000u;
  bits = (bits + 0x8000) & 0xffff0000u;
  std::memcpy(&value, &bits, 4);
  return value;
}

// The reference of bulk products: their only error is that both sides are rounded.
TEST(Linear, BulkProductsAreThoseOfRoundedWeightsAndActivations) {
  for (DType dtype : kAll) {
    if (dtype == DType::f32 || dtype == DType::f16) continue;
    const Matrix w = random_matrix(dtype, 37, 768, 21);
    const auto x = random_rows(5, 768, 22);
    const auto linear = *pack_linear(
        {&w.view, 1}, {Isa::scalar, LinearMode::fast, nullptr, nullptr, nullptr, true});
    const auto y = multiply_bulk(*linear, x.data(), 5, 2);
    // Some types' scales are products, which the packed form keeps within 2^-12: where a weight
    // lies that near the middle of two BF16 numbers, it becomes the other one.
    const bool products = dtype_info(dtype).block_elements == 256;
    const auto weight = dtype == DType::bf16 ? rounded_to_bfloat : rounded_by_half;
    EXPECT_LT(relative_error(w, x, y, weight, rounded_to_bfloat), products ? 2e-3 : 1e-5)
        << dtype_info(dtype).name;
  }
}

// Weights far from 1, and rows of scales that are no numbers.
TEST(Linear, BulkRowsKeepTheirOwnRange) {
  constexpr std::int64_t kColumns = 64;
  Matrix w = random_matrix(DType::q4_0, 4, kColumns, 31);
  const auto stride = row_bytes(DType::q4_0, kColumns);
  const auto set_scale = [&](std::int64_t row, std::uint16_t half) {
    for (std::size_t block = 0; block < 2; ++block) {
      std::memcpy(w.bytes.data() + static_cast<std::size_t>(row) * stride + block * 18, &half, 2);
    }
  };
  set_scale(0, 0x0001);  // 2^-24
  set_scale(1, 0x7bff);  // 65504
  set_scale(2, 0x7c00);  // infinite
  set_scale(3, 0x7e00);  // not a number
  const auto x = random_rows(2, kColumns, 32);
  std::vector<LinearOptions> kinds = {
      {Isa::scalar, LinearMode::fast, nullptr, nullptr, nullptr, true}};
  if (best_isa() == Isa::amx) kinds.push_back({Isa::amx, LinearMode::fast});
  const auto exact = *pack_linear({&w.view, 1}, {Isa::scalar, LinearMode::exact});
  const auto expected = multiply(*exact, x.data(), 2, 1);
  for (const auto& options : kinds) {
    const auto linear = *pack_linear({&w.view, 1}, options);
    const auto y = multiply_bulk(*linear, x.data(), 2, 1);
    for (std::size_t t = 0; t < 2; ++t) {
      for (std::size_t r : {0u, 1u}) {
        EXPECT_NEAR(y[t * 4 + r] / expected[t * 4 + r], 1, 0.02) << isa_name(options.isa);
      }
      EXPECT_TRUE(std::isnan(y[t * 4 + 2]) && std::isnan(y[t * 4 + 3])) << isa_name(options.isa);
    }
  }
}

// Rows that are larger than the caches are written past them: with the same bits.
TEST(Linear, BulkRowsPastTheCachesHaveTheSameBits) {
  if (best_isa() != Isa::amx) GTEST_SKIP() << "no AMX on this machine";
  constexpr std::int64_t kRows = 1000, kStride = 1008;
  constexpr int kTokens = 560;
  const Matrix w = random_matrix(DType::q4_0, kRows, 32, 33);
  const auto x = random_rows(kTokens, 32, 34);
  const auto linear = *pack_linear({&w.view, 1}, {Isa::amx, LinearMode::fast});
  const auto expected = multiply_bulk(*linear, x.data(), kTokens, 1);  // rows are no whole lines
  base::ThreadPool pool(1);
  Activations activations;
  AlignedScratch<float> scratch;
  float* y = scratch.reserve(kTokens * kStride);
  linear->prepare(x.data(), 32, Rows(kTokens, 0), activations, pool);
  linear->multiply(activations, kTokens, y, kStride, pool);
  for (int t = 0; t < kTokens; ++t) {
    ASSERT_EQ(std::memcmp(y + t * kStride, expected.data() + t * kRows, kRows * 4), 0) << t;
  }
}

// Tiles have the reference's bits: every type, rows that fill no tile, few and many tokens, and
// rows of one range of blocks and of several.
TEST(Linear, TilesHaveTheBitsOfTheBulkReference) {
  if (best_isa() != Isa::amx) GTEST_SKIP() << "no AMX on this machine";
  constexpr int kTokens = 50;
  for (DType dtype : kAll) {
    if (dtype == DType::f32 || dtype == DType::f16) continue;
    for (const auto& [rows, columns] : {std::pair{37, 256}, {80, 1280}}) {
      const Matrix w = random_matrix(dtype, rows, columns, 12);
      const auto x = random_rows(kTokens, columns, 13);
      const auto reference = *pack_linear(
          {&w.view, 1}, {Isa::scalar, LinearMode::fast, nullptr, nullptr, nullptr, true});
      const auto expected = multiply_bulk(*reference, x.data(), kTokens, 2);
      const auto tiles = *pack_linear({&w.view, 1}, {Isa::amx, LinearMode::fast});
      for (int m : {1, 5, 16, 17, 32, kTokens}) {
        const auto y = multiply_bulk(*tiles, x.data(), m, 2);
        for (std::size_t i = 0; i < y.size(); ++i) {
          ASSERT_EQ(y[i], expected[i])
              << dtype_info(dtype).name << " columns " << columns << " m " << m << " at " << i;
        }
      }
    }
  }
}

// A product of both kinds of rows has each kind's bits, and so has one of many slabs.
TEST(Linear, BulkRowsDependOnNeitherTheOthersNorThreads) {
  const Matrix w = random_matrix(DType::q4_0, 40, 96, 23);
  const int m = 600;
  const auto x = random_rows(m, 96, 24);
  std::vector<LinearOptions> kinds = {
      {Isa::scalar, LinearMode::fast, nullptr, nullptr, nullptr, true}};
  if (best_isa() == Isa::amx) kinds.push_back({Isa::amx, LinearMode::fast});
  for (const auto& options : kinds) {
    const auto linear = *pack_linear({&w.view, 1}, options);
    const auto bulk = multiply_bulk(*linear, x.data(), m, 1);
    const auto single = multiply(*linear, x.data(), m, 1);
    ASSERT_NE(std::memcmp(bulk.data(), single.data(), bulk.size() * 4), 0);
    for (int threads : {1, 3}) {
      for (int from : {0, 1, 13, 32, m}) {
        base::ThreadPool pool(threads);
        Activations activations;
        std::vector<float> y(static_cast<std::size_t>(m * 40));
        linear->prepare(x.data(), 96, Rows(m, from), activations, pool);
        linear->multiply(activations, m, y.data(), 40, pool);
        const auto before = static_cast<std::size_t>(from) * 40;
        ASSERT_EQ(std::memcmp(y.data(), single.data(), before * 4), 0) << from;
        ASSERT_EQ(std::memcmp(y.data() + before, bulk.data() + before, (y.size() - before) * 4), 0)
            << from;
      }
    }
  }
}

// A gate and its branch, as a feed-forward block has them.
void join_halves(std::int64_t /*first*/, std::int64_t count, float* a, float* b) {
  for (std::int64_t i = 0; i < count; ++i) a[i] = a[i] * 0.25f + b[i];
}

// Bulk rows go from one product into the next with the bits of the steps apart: halves of one type
// and of two, outputs that fill no chunk, few and many tokens.
TEST(Linear, BulkRowsGoIntoTheNextProductWithTheSameBits) {
  constexpr std::int64_t kHalf = 160;
  std::vector<LinearOptions> kinds = {
      {Isa::scalar, LinearMode::fast, nullptr, nullptr, nullptr, true}};
  if (best_isa() == Isa::amx) kinds.push_back({Isa::amx, LinearMode::fast});
  const Matrix gate = random_matrix(DType::q4_0, kHalf, 64, 41);
  const Matrix down = random_matrix(DType::q8_0, 24, kHalf, 43);
  for (const auto& options : kinds) {
    for (const DType dtype : {DType::q4_0, DType::q5_1}) {
      const Matrix up = random_matrix(dtype, kHalf, 64, 42);
      const std::vector<MatrixView> parts = {gate.view, up.view};
      const auto in = *pack_linear(parts, options);
      const auto next = *pack_linear({&down.view, 1}, options);
      for (const int m : {1, 17, 70, 600}) {
        if (m > 100 && options.bulk_reference) continue;  // slow, and one slab there too
        const auto x = random_rows(m, 64, 44);
        const auto halves = multiply_bulk(*in, x.data(), m, 2);
        std::vector<float> joined(static_cast<std::size_t>(m) * kHalf);
        for (int t = 0; t < m; ++t) {
          auto row = std::vector<float>(halves.begin() + t * 2 * kHalf,
                                        halves.begin() + (t + 1) * 2 * kHalf);
          join_halves(0, kHalf, row.data(), row.data() + kHalf);
          std::copy_n(row.begin(), kHalf, joined.begin() + t * kHalf);
        }
        const auto expected = multiply_bulk(*next, joined.data(), m, 2);
        base::ThreadPool pool(2);
        Activations activations, between;
        in->prepare(x.data(), 64, Rows(m, 0), activations, pool);
        ASSERT_TRUE(in->multiply_into(activations, m, join_halves, *next, between, pool));
        std::vector<float> y(expected.size());
        next->multiply(between, m, y.data(), 24, pool);
        ASSERT_EQ(std::memcmp(y.data(), expected.data(), y.size() * 4), 0)
            << isa_name(options.isa) << " " << dtype_info(dtype).name << " m " << m;
        in->prepare(x.data(), 64, Rows(m), activations, pool);
        EXPECT_FALSE(in->multiply_into(activations, m, join_halves, *next, between, pool));
      }
    }
  }
}

// Floating-point weights keep their two or four bytes, and where no set rounds the activations all
// have the reference's sums; columns that fill no tile of 32.
TEST(Linear, FloatsHaveTheSumsOfTheScalarReference) {
  for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    for (std::int64_t columns : {1, 31, 96, 259}) {
      const Matrix w = random_matrix(dtype, 37, columns, 16);
      const auto x = random_rows(67, columns, 17);
      const auto reference = *pack_linear({&w.view, 1}, {Isa::scalar, LinearMode::exact});
      EXPECT_LE(reference->bytes(),
                48 * (static_cast<std::size_t>(columns) + 31) * (dtype == DType::f32 ? 4u : 2u));
      for (int m : {1, 2, 3, 5, 16, 67}) {
        const auto expected = multiply(*reference, x.data(), m, 1);
        for (Isa isa : supported_isas()) {
          const auto y =
              multiply(**pack_linear({&w.view, 1}, {isa, LinearMode::exact}), x.data(), m, 2);
          ASSERT_EQ(std::memcmp(y.data(), expected.data(), y.size() * 4), 0)
              << dtype_info(dtype).name << " " << isa_name(isa) << " columns " << columns << " m "
              << m;
        }
      }
    }
  }
}

// BF16 products: the only error is that of the activations' rounding.
TEST(Linear, BfloatProductsAreThoseOfRoundedActivations) {
  if (!multiplies_bfloat(best_isa())) {
    GTEST_SKIP() << "no AVX-512 with BF16 on this machine";
  }
  for (std::int64_t columns : {1, 31, 96, 259, 2048}) {
    const Matrix w = random_matrix(DType::bf16, 37, columns, 18);
    const auto x = random_rows(150, columns, 19);
    std::vector<float> rounded = x;
    for (float& value : rounded) value = rounded_to_bfloat(value);
    const auto expected = multiply(**pack_linear({&w.view, 1}, {Isa::scalar, LinearMode::exact}),
                                   rounded.data(), 150, 1);
    for (Isa isa : {Isa::avx512, Isa::amx}) {
      if (best_isa() < isa) continue;
      const auto linear = *pack_linear({&w.view, 1}, {isa, LinearMode::fast});
      for (int m : {1, 7, 16, 17, 64, 150}) {
        const auto y = multiply(*linear, x.data(), m, 2);
        for (std::size_t i = 0; i < y.size(); ++i) {
          ASSERT_NEAR(y[i], expected[i], 1e-5 * std::sqrt(columns))
              << isa_name(isa) << " columns " << columns << " m " << m << " at " << i;
        }
      }
    }
  }
}

// An infinite or missing activation spoils its own row, visibly, and no other; one too small for
// its block's scale counts as zero.
TEST(Linear, StrangeActivationsStayInTheirRow) {
  const Matrix w = random_matrix(DType::q4_1, 24, 96, 14);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (Isa isa : supported_isas()) {
    const auto linear = *pack_linear({&w.view, 1}, {isa, LinearMode::fast});
    auto x = random_rows(4, 96, 15);
    x[40] = nan;
    x[96 + 7] = -infinity;
    std::fill(x.begin() + 2 * 96, x.begin() + 3 * 96, 1e-38f);
    const auto y = multiply(*linear, x.data(), 4, 1);
    const auto alone = multiply(*linear, x.data() + 3 * 96, 1, 1);
    for (std::size_t r = 0; r < 24; ++r) {
      EXPECT_TRUE(std::isnan(y[r])) << isa_name(isa);
      EXPECT_TRUE(std::isnan(y[24 + r]));
      EXPECT_EQ(y[48 + r], 0.0f);
      EXPECT_EQ(y[72 + r], alone[r]);
    }
  }
}

// Scales far outside fp16's range survive packing: only their ratio within a row counts.
TEST(Linear, ScalesOfAnyMagnitudeSurvivePacking) {
  for (const int d : {0x0001, 0x0400, 0x3c00, 0x7bff}) {  // 6e-8 to 65504 as fp16
    Matrix w;
    for (int block = 0; block < 8 * 3; ++block) {
      w.bytes.push_back(static_cast<std::uint8_t>(d & 0xff));
      w.bytes.push_back(static_cast<std::uint8_t>(d >> 8));
      w.bytes.insert(w.bytes.end(), 32, 5);
    }
    w.view = {w.bytes.data(), DType::q8_0, 8, 96};
    const std::vector<float> x(96, 127.0f);
    std::vector<float> row(96);
    dequantize_row(DType::q8_0, w.bytes.data(), row.data(), 96);
    for (Isa isa : supported_isas()) {
      const auto y = multiply(**pack_linear({&w.view, 1}, {isa, LinearMode::fast}), x.data(), 1, 1);
      for (float value : y) EXPECT_FLOAT_EQ(value, row[0] * 127 * 96) << isa_name(isa) << " " << d;
    }
  }
}

// The widest products there are: weights of -128 and activations of +-127 in every place.
TEST(Linear, HostileIntegersStayExact) {
  const std::int64_t columns = 96, rows = 33;
  Matrix w;
  for (std::int64_t block = 0; block < rows * columns / 32; ++block) {
    w.bytes.insert(w.bytes.end(), {0x00, 0x3c});  // d = 1 as fp16
    w.bytes.insert(w.bytes.end(), 32, 0x80);
  }
  w.view = {w.bytes.data(), DType::q8_0, rows, columns};
  std::vector<float> x(static_cast<std::size_t>(20 * columns), 127.0f);
  std::fill(x.begin() + 10 * columns, x.end(), -127.0f);
  for (Isa isa : supported_isas()) {
    const auto y = multiply(**pack_linear({&w.view, 1}, {isa, LinearMode::fast}), x.data(), 20, 2);
    for (std::size_t i = 0; i < y.size(); ++i) {
      const float exact = (i < y.size() / 2 ? -1.0f : 1.0f) * 128 * 127 * columns;
      ASSERT_EQ(y[i], exact) << isa_name(isa) << " at " << i;
    }
  }
}

TEST(Linear, StackedPartsEqualTheirOwnProducts) {
  const Matrix a = random_matrix(DType::q4_1, 48, 96, 7), b = random_matrix(DType::q4_1, 20, 96, 8);
  const MatrixView both[] = {a.view, b.view};
  const auto x = random_rows(3, 96, 9);
  const LinearOptions options{best_isa(), LinearMode::fast};
  const auto stacked = multiply(**pack_linear(both, options), x.data(), 3, 1);
  const auto first = multiply(**pack_linear({&a.view, 1}, options), x.data(), 3, 1);
  const auto second = multiply(**pack_linear({&b.view, 1}, options), x.data(), 3, 1);
  for (int t = 0; t < 3; ++t) {
    EXPECT_EQ(std::memcmp(&stacked[static_cast<std::size_t>(t * 68)],
                          &first[static_cast<std::size_t>(t * 48)], 48 * 4),
              0);
    EXPECT_EQ(std::memcmp(&stacked[static_cast<std::size_t>(t * 68 + 48)],
                          &second[static_cast<std::size_t>(t * 20)], 20 * 4),
              0);
  }
}

TEST(Linear, RefusesPartsThatDoNotStack) {
  const Matrix a = random_matrix(DType::f32, 4, 96, 7), b = random_matrix(DType::f32, 4, 64, 8);
  const MatrixView both[] = {a.view, b.view};
  EXPECT_EQ(pack_linear(both, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pack_linear({}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  const MatrixView odd{a.bytes.data(), DType::q4_0, 4, 33};
  EXPECT_EQ(pack_linear({&odd, 1}, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace plinth::tensor
