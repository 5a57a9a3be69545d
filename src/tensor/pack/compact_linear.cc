#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/units.h"
#include "tensor/pack/packed_forms.h"

namespace plinth::tensor {

namespace {

// Tokens whose activations stay in the second-level cache while the rows of W pass by: 64 tokens of
// 2,048 columns are 192 KiB.
constexpr int kPanelsPerTile = 16;
// Weights of 16 rows that stay in the first-level cache while the tokens pass by. Sums pause in y
// between ranges of blocks, so the order of additions does not change.
constexpr std::int64_t kRangeBytes = 16 << 10;
// Hand-outs for each thread of one product: enough to even out a thread that lost its core for a
// while, few enough that the counter's cache line does not matter.
constexpr std::int64_t kHandOuts = 4;

// The rows of one part, in the form of its type.
struct Segment {
  CompactForm form;
  std::int64_t row = 0;  // first row of the product
  std::int64_t rows = 0;
  std::int64_t first_group = 0;  // among those of all segments
  std::int64_t groups = 0;
  std::int64_t group_bytes = 0;
  std::int64_t range = 0;  // blocks of kRangeBytes
  std::vector<std::uint8_t> data;
  const std::uint8_t* base = nullptr;  // 64-byte aligned, in data

  const std::uint8_t* group(std::int64_t index) const { return base + index * group_bytes; }
};

class CompactLinear final : public PackedLinear {
 public:
  CompactLinear(std::span<const MatrixView> parts, const LinearOptions& options)
      : PackedLinear(total_rows(parts), parts[0].columns),
        kernels_(options.isa == Isa::scalar ? kCompactScalar : kCompactAvx2),
        blocks_(columns() / kCompactBlock) {
    std::int64_t row = 0;
    for (const auto& part : parts) {
      segments_.push_back(pack(part, row, options.pool));
      row += part.rows;
      groups_ += segments_.back().groups;
    }
  }

  std::size_t bytes() const override {
    std::size_t total = 0;
    for (const auto& segment : segments_) total += segment.data.size();
    return total;
  }

  bool shares_activations(const PackedLinear& other) const override {
    const auto* same = dynamic_cast<const CompactLinear*>(&other);
    return same != nullptr && same->columns() == columns() && &same->kernels_ == &kernels_;
  }

  void prepare(const float* x, std::int64_t ldx, int m, Activations& out,
               base::ThreadPool& pool) const override {
    auto& a = out.impl();
    a.columns = columns();
    const auto need = static_cast<std::size_t>(base::ceil_div(m, kPanelTokens) * blocks_);
    if (a.panels.size() < need) a.panels.resize(need);
    pool.parallel_for(m, 2 * kPanelTokens, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) {
        kernels_.quantize(x + t * ldx, blocks_, static_cast<int>(t % kPanelTokens),
                          a.panels.data() + t / kPanelTokens * blocks_);
      }
    });
  }

  void multiply(const Activations& x, int m, float* y, std::int64_t ldy,
                base::ThreadPool& pool) const override {
    CHECK(x.impl().columns == columns());
    const std::int64_t tiles = base::ceil_div(m, kPanelsPerTile * kPanelTokens);
    const std::int64_t tasks = tiles * groups_;
    // Pairs of groups stay together: kernels take two at once.
    const std::int64_t grain =
        base::round_up<std::int64_t>(base::ceil_div(tasks, kHandOuts * pool.size()), 2);
    pool.parallel_for(tasks, grain, [&](std::int64_t begin, std::int64_t end) {
      for (auto task = begin; task < end;) {
        const auto tile = task / groups_;
        const auto group = task % groups_;
        const auto stop = std::min(groups_, group + end - task);
        run_tile(x.impl().panels.data(), tile, group, stop, m, y, ldy);
        task += stop - group;
      }
    });
  }

 private:
  Segment pack(const MatrixView& part, std::int64_t row, base::ThreadPool* pool) const {
    Segment segment;
    segment.form = compact_form(part.dtype);
    segment.row = row;
    segment.rows = part.rows;
    segment.first_group = groups_;
    segment.groups = base::ceil_div<std::int64_t>(part.rows, kCompactRows);
    segment.group_bytes = segment.form.group_bytes(blocks_);
    segment.range = kRangeBytes / (2 * (segment.form.scale_bytes() + segment.form.integer_bytes()));
    segment.data.assign(static_cast<std::size_t>(segment.groups * segment.group_bytes + 64), 0);
    std::uint8_t* base = segment.data.data();
    base += -reinterpret_cast<std::uintptr_t>(base) % 64;
    segment.base = base;
    const auto stride = row_bytes(part.dtype, part.columns);
    const auto pack_groups = [&](std::int64_t begin, std::int64_t end) {
      for (auto r = begin * kCompactRows; r < std::min(end * kCompactRows, part.rows); ++r) {
        pack_compact_row(part.dtype, segment.form, part.data + static_cast<std::size_t>(r) * stride,
                         columns(), static_cast<int>(r % kCompactRows),
                         base + r / kCompactRows * segment.group_bytes);
      }
    };
    if (pool == nullptr) {
      pack_groups(0, segment.groups);
    } else {
      pool->parallel_for(segment.groups, 8, pack_groups);
    }
    return segment;
  }

  // Groups [begin, end) of one tile of tokens.
  void run_tile(const PanelBlock* panels, std::int64_t tile, std::int64_t begin, std::int64_t end,
                int m, float* y, std::int64_t ldy) const {
    const std::int64_t first = tile * kPanelsPerTile * kPanelTokens;
    CompactTask task;
    task.panels = panels + tile * kPanelsPerTile * blocks_;
    task.blocks = blocks_;
    task.m = static_cast<int>(std::min<std::int64_t>(kPanelsPerTile * kPanelTokens, m - first));
    task.ldy = ldy;
    for (const auto& segment : segments_) {
      task.form = &segment.form;
      const auto last = std::min(end, segment.first_group + segment.groups);
      for (auto g = std::max(begin, segment.first_group); g < last;) {
        const auto index = g - segment.first_group;
        const std::int64_t left = segment.rows - index * kCompactRows;
        const bool pair = g + 1 < last && left >= 2 * kCompactRows;
        task.group = segment.group(index);
        task.rows = static_cast<int>(std::min<std::int64_t>(kCompactRows, left));
        task.y = y + first * ldy + segment.row + index * kCompactRows;
        // Few tokens read each weight once whatever the order.
        run_ranges(task, task.m <= kPanelTokens ? blocks_ : segment.range,
                   pair ? kernels_.multiply_pair : kernels_.multiply);
        g += pair ? 2 : 1;
      }
    }
  }

  void run_ranges(CompactTask& task, std::int64_t range, void (*kernel)(const CompactTask&)) const {
    for (std::int64_t b = 0; b < blocks_; b += range) {
      task.first_block = b;
      task.last_block = std::min(b + range, blocks_);
      kernel(task);
    }
  }

  const CompactKernels& kernels_;
  const std::int64_t blocks_;
  std::int64_t groups_ = 0;
  std::vector<Segment> segments_;
};

}  // namespace

std::unique_ptr<PackedLinear> pack_compact(std::span<const MatrixView> parts,
                                           const LinearOptions& options) {
  return std::make_unique<CompactLinear>(parts, options);
}

}  // namespace plinth::tensor
