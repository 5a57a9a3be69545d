#include "tensor/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace plinth::tensor {
namespace {

struct Shape {
  int group, head_width, window = 0;
  float softcap = 0;
  bool causal = true;
};

// Kernels, of which AMX has others for bulk rows.
struct Kind {
  Isa isa;
  KvType type;
  bool bulk = false;
};

constexpr int kPositions = 200;
constexpr KvType kTypes[] = {KvType::f32, KvType::f16, KvType::bf16, KvType::q8};
constexpr float kScale = 0.3f;

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (Isa isa : supported_isas()) {
    for (KvType type : kTypes) all.push_back({isa, type});
  }
  if (best_isa() == Isa::amx) all.push_back({Isa::amx, KvType::bf16, true});
  return all;
}

// One sequence of one kv head: queries, keys and values of every position, and the pages as a
// runner would fill them, in shuffled order.
class Sequence {
 public:
  Sequence(const Shape& shape, const Kind& kind, int positions = kPositions)
      : shape_(shape),
        kernels_(kind.bulk ? bulk_attention_kernels(kind.isa, kind.type)
                           : attention_kernels(kind.isa, kind.type)) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    const auto fill = [&](std::vector<float>& values, int width) {
      values.resize(static_cast<std::size_t>(positions * width));
      for (float& value : values) value = normal(random);
    };
    fill(q_, shape.group * shape.head_width);
    fill(k_, shape.head_width);
    fill(v_, shape.head_width);
    const int pages = base::ceil_div(positions, kPageTokens);
    const auto page_bytes = kv_page_bytes(kind.type, shape.head_width);
    // What no position has written is NaN: reading it would show.
    memory_.assign(2 * static_cast<std::size_t>(pages) * page_bytes, 0xff);
    for (int i = 0; i < pages; ++i) {
      const auto at = static_cast<std::size_t>(i * 5 % pages) * 2 * page_bytes;
      k_pages_.push_back(memory_.data() + at);
      v_pages_.push_back(memory_.data() + at + page_bytes);
    }
  }

  void store_until(int position) {
    for (; stored_ < position; ++stored_) {
      const auto at = static_cast<std::size_t>(stored_ * shape_.head_width);
      const auto page = static_cast<std::size_t>(stored_ / kPageTokens);
      kernels_.store(&k_[at], &v_[at], shape_.head_width, stored_ % kPageTokens, k_pages_[page],
                     v_pages_[page]);
    }
  }

  // Outputs of positions [position, position + tokens).
  std::vector<float> attend(int position, int tokens) {
    return run(position, tokens, kernels_.attend);
  }

  // The same out of its spans' sums, the last span first.
  std::vector<float> attend_by_spans(int position, int tokens) {
    return run(position, tokens, [&](const AttentionRun& run) {
      const auto floats = attention_sums_floats(run.tokens, run.group, run.head_width);
      const auto spans = static_cast<std::size_t>(run.end_span() - run.first_span());
      std::vector<float> sums(spans * floats, NAN);
      for (auto i = spans; i-- > 0;) {
        kernels_.sum_span(run, run.first_span() + static_cast<int>(i), &sums[i * floats]);
      }
      kernels_.merge(run, sums.data());
    });
  }

 private:
  template <typename Attend>
  std::vector<float> run(int position, int tokens, const Attend& attend) {
    store_until(position + tokens);
    const int width = shape_.group * shape_.head_width;
    std::vector<const void*> k(k_pages_.begin(), k_pages_.end()),
        v(v_pages_.begin(), v_pages_.end());
    // Pages before the window have no memory: reading one would be a null pointer.
    for (int i = 0; shape_.window > 0 && (i + 1) * kPageTokens <= position + 1 - shape_.window;
         ++i) {
      k[static_cast<std::size_t>(i)] = v[static_cast<std::size_t>(i)] = nullptr;
    }
    std::vector<float> out(static_cast<std::size_t>(tokens * width));
    std::vector<float> scratch(attention_scratch_floats(tokens, shape_.group, shape_.head_width));
    AttentionRun run;
    run.q = &q_[static_cast<std::size_t>(position * width)];
    run.ldq = run.ldo = width;
    run.out = out.data();
    run.tokens = tokens;
    run.position = position;
    run.window = shape_.window;
    run.group = shape_.group;
    run.head_width = shape_.head_width;
    run.scale = kScale;
    run.softcap = shape_.softcap;
    run.causal = shape_.causal;
    run.k_pages = k.data();
    run.v_pages = v.data();
    run.scratch = scratch.data();
    attend(run);
    return out;
  }

 public:
  // The definition in double precision, for one position and head, which attends up to `end`.
  std::vector<double> expected(int position, int h, int end) const {
    const int e = shape_.head_width;
    const int first = shape_.window > 0 ? std::max(0, position + 1 - shape_.window) : 0;
    std::vector<double> out(static_cast<std::size_t>(e));
    double total = 0;
    for (int p = first; p < end; ++p) {
      double score = 0;
      for (int i = 0; i < e; ++i) {
        score += static_cast<double>(
                     q_[static_cast<std::size_t>((position * shape_.group + h) * e + i)]) *
                 k_[static_cast<std::size_t>(p * e + i)];
      }
      score *= static_cast<double>(kScale);
      const double cap = shape_.softcap;
      if (cap > 0) score = cap * std::tanh(score / cap);
      const double weight = std::exp(score);
      total += weight;
      for (int i = 0; i < e; ++i) {
        out[static_cast<std::size_t>(i)] += weight * v_[static_cast<std::size_t>(p * e + i)];
      }
    }
    for (double& value : out) value /= total;
    return out;
  }

 private:
  const Shape shape_;
  const AttentionKernels& kernels_;
  std::vector<float> q_, k_, v_;
  std::vector<std::uint8_t> memory_;
  std::vector<std::uint8_t*> k_pages_, v_pages_;
  int stored_ = 0;
};

constexpr Shape kShapes[] = {{3, 64},   {1, 20}, {8, 32},          {5, 24, 30}, {2, 16, 100, 2.0f},
                             {7, 8, 1}, {4, 64}, {3, 64, 70, 2.0f}};

std::string name(const Shape& shape, const Kind& kind) {
  return std::string(isa_name(kind.isa)) + " " + std::string(kv_type_name(kind.type)) +
         (kind.bulk ? " bulk" : "") + " group " + std::to_string(shape.group) + " width " +
         std::to_string(shape.head_width) + " window " + std::to_string(shape.window);
}

TEST(Attention, IsSoftmaxOverTheWindow) {
  constexpr double kTolerance[] = {1e-5, 5e-3, 4e-2, 5e-2};
  for (const auto& shape : kShapes) {
    for (const Kind& kind : kinds()) {
      Sequence sequence(shape, kind);
      const auto out = sequence.attend(0, kPositions);
      for (int position = 0; position < kPositions; ++position) {
        for (int h = 0; h < shape.group; ++h) {
          const auto expected = sequence.expected(position, h, position + 1);
          for (std::size_t i = 0; i < expected.size(); ++i) {
            const auto at =
                static_cast<std::size_t>((position * shape.group + h) * shape.head_width) + i;
            ASSERT_NEAR(out[at], expected[i], kTolerance[static_cast<int>(kind.type)])
                << name(shape, kind) << " position " << position;
          }
        }
      }
    }
  }
}

// An encoder's: every token attends to all of its text.
TEST(Attention, ReachesTheEndWhereNotCausal) {
  constexpr double kTolerance[] = {1e-5, 5e-3, 4e-2, 5e-2};
  for (const Shape& shape : {Shape{2, 20, 0, 0, false}, Shape{1, 32, 0, 0, false}}) {
    for (const Kind& kind : kinds()) {
      for (const int tokens : {1, 2, 15, 17, 64, 65, 200}) {
        Sequence sequence(shape, kind);
        const auto out = sequence.attend(0, tokens);
        for (int row = 0; row < tokens * shape.group; ++row) {
          const auto expected = sequence.expected(row / shape.group, row % shape.group, tokens);
          for (std::size_t i = 0; i < expected.size(); ++i) {
            ASSERT_NEAR(out[static_cast<std::size_t>(row * shape.head_width) + i], expected[i],
                        kTolerance[static_cast<int>(kind.type)])
                << name(shape, kind) << " tokens " << tokens << " row " << row;
          }
        }
      }
    }
  }
}

// Promise 3: however a prompt is cut, a query's bits are the same.
TEST(Attention, BitsDoNotDependOnTheRun) {
  for (const auto& shape : kShapes) {
    for (const Kind& kind : kinds()) {
      const auto whole = Sequence(shape, kind).attend(0, kPositions);
      Sequence cut(shape, kind);
      const auto row = static_cast<std::size_t>(shape.group * shape.head_width);
      int position = 0;
      for (int tokens : {1, 1, 2, 13, 17, 1, 64, 3, 50, 1, 47}) {
        const auto part = cut.attend(position, tokens);
        ASSERT_EQ(std::memcmp(part.data(), &whole[static_cast<std::size_t>(position) * row],
                              part.size() * sizeof(float)),
                  0)
            << name(shape, kind) << " at " << position << " tokens " << tokens;
        position += tokens;
      }
      ASSERT_EQ(position, kPositions);
    }
  }
}

// Three spans; a window that ends in one of them, and one that leaves some queries of a run
// nothing in its first span.
TEST(Attention, SpansSummedApartGiveTheSameBits) {
  constexpr int kLong = 2 * kSpanPositions + 50;
  for (const auto& shape :
       {Shape{3, 40}, Shape{2, 16, 1500}, Shape{1, 8, 20}, Shape{3, 64}, Shape{2, 32, 1500}}) {
    for (const Kind& kind : kinds()) {
      Sequence sequence(shape, kind, kLong);
      for (const int position : {0, kSpanPositions - 1, kSpanPositions + 10, kLong - 40}) {
        const auto whole = sequence.attend(position, 20);
        const auto merged = sequence.attend_by_spans(position, 20);
        ASSERT_EQ(std::memcmp(whole.data(), merged.data(), whole.size() * sizeof(float)), 0)
            << name(shape, kind) << " at " << position;
        const auto expected = sequence.expected(position, 0, position + 1);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          ASSERT_NEAR(whole[i], expected[i], 5e-2) << name(shape, kind);
        }
      }
    }
  }
}

// What q8 keeps is within half a step of 1/127 of the largest of its 32 columns, also where
// those are huge, tiny or all zero.
TEST(Attention, EightBitKeysKeepTheirScale) {
  for (Isa isa : supported_isas()) {
    const auto& kernels = attention_kernels(isa, KvType::q8);
    constexpr int kWidth = 72;
    std::vector<std::uint8_t> k(kv_page_bytes(KvType::q8, kWidth)), v(k);
    std::vector<float> row(kWidth);
    for (std::size_t i = 0; i < 32; ++i) row[i] = 1e-6f * static_cast<float>(i);
    row[40] = 1e9f;
    row[41] = -200;
    row[70] = NAN;
    kernels.store(row.data(), row.data(), kWidth, 5, k.data(), v.data());
    const auto integer = [&](int column) { return static_cast<std::int8_t>(k[column * 16 + 5]); };
    EXPECT_EQ(integer(31), 127);
    EXPECT_EQ(integer(16), 66);
    EXPECT_EQ(integer(40), 127);
    EXPECT_EQ(integer(41), 0);
    EXPECT_EQ(integer(64), 0);
    const auto* scales = reinterpret_cast<const float*>(v.data() + 16 * kWidth) + 5 * 3;
    EXPECT_FLOAT_EQ(scales[0], 31e-6f / 127);
    EXPECT_FLOAT_EQ(scales[1], 65504.0f / 127);
    EXPECT_TRUE(std::isfinite(scales[2]));
  }
}

// Keys and values beyond fp16's range stay finite.
TEST(Attention, HugeKeysAreBounded) {
  for (Isa isa : supported_isas()) {
    const auto& kernels = attention_kernels(isa, KvType::f16);
    std::vector<std::uint16_t> k(kv_page_bytes(KvType::f16, 8) / 2), v(k);
    const float huge[8] = {1e30f, -1e30f, 65505, 1, 0, -0.0f, 1e-8f, 70000};
    kernels.store(huge, huge, 8, 3, k.data(), v.data());
    EXPECT_EQ(k[3], 0x7bff) << isa_name(isa);
    EXPECT_EQ(k[16 + 3], 0xfbff);
    EXPECT_EQ(v[3 * 8 + 7], 0x7bff);
    EXPECT_EQ(v[3 * 8 + 3], 0x3c00);
  }
}

}  // namespace
}  // namespace plinth::tensor
