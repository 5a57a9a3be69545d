#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/units.h"
#include "tensor/pack/bulk_products.h"
#include "tensor/pack/packed_forms.h"

namespace plinth::tensor {

namespace {

// Hand-outs for each thread of one product: enough to even out a thread that lost its core for a
// while, few enough that the counter's cache line does not matter.
constexpr std::int64_t kHandOuts = 4;
// Of a matrix's packing, in tiles.
constexpr std::int64_t kTilesPerPackTask = 4;
// What a blocking is timed with: two slabs of the largest, and rows enough that both threads of a
// small machine have some tens of tiles.
constexpr int kTunedTokens = 256;
constexpr std::int64_t kTunedTiles = 64;

// The rows of one part, in the form of its type.
struct Segment {
  CompactForm form;
  std::int64_t row = 0;  // first row of the product
  std::int64_t rows = 0;
  std::int64_t first_tile = 0;  // among those of all segments
  std::int64_t tiles = 0;
  std::int64_t tile_bytes = 0;
  std::span<std::uint8_t> data;

  std::uint8_t* tile(std::int64_t index) const { return data.data() + index * tile_bytes; }
};

const CompactKernels& kernels_for(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return kCompactScalar;
    case Isa::avx2:
      return kCompactAvx2;
    case Isa::avx512:
    case Isa::amx:
      return kCompactAvx512;
  }
  return kCompactScalar;
}

class CompactLinear final : public PackedLinear {
 public:
  CompactLinear(std::span<const MatrixView> parts, const LinearOptions& options)
      : PackedLinear(total_rows(parts), parts[0].columns),
        kernels_(kernels_for(options.isa)),
        bulk_(bulk_for(options)),
        blocks_(columns() / kCompactBlock),
        store_(options.store) {}

  absl::Status pack(std::span<const MatrixView> parts, base::ThreadPool* pool) {
    std::int64_t row = 0;
    for (const auto& part : parts) {
      ASSIGN_OR_RETURN(auto segment, pack_part(part, row, pool));
      row += part.rows;
      tiles_ += segment.tiles;
      segments_.push_back(std::move(segment));
    }
    for (const auto& segment : segments_) {
      bulk_parts_.push_back(
          {&segment.form, segment.data.data(), segment.tile_bytes, segment.row, segment.rows});
    }
    return absl::OkStatus();
  }

  std::size_t bytes() const override {
    std::size_t total = 0;
    for (const auto& segment : segments_) total += segment.data.size();
    return total;
  }

  bool shares_activations(const PackedLinear& other) const override {
    const auto* same = dynamic_cast<const CompactLinear*>(&other);
    return same != nullptr && same->columns() == columns() && &same->kernels_ == &kernels_ &&
           same->bulk_.multiply == bulk_.multiply;
  }

  void prepare_made(const float* x, std::int64_t ldx, Rows rows, Activations& out,
                    base::ThreadPool& pool,
                    absl::FunctionRef<void(int row)> make_row) const override {
    auto& a = out.impl();
    a.columns = columns();
    a.bulk_from = bulk_.multiply == nullptr ? rows.count : rows.bulk_from;
    const int m = a.bulk_from;
    const auto need = static_cast<std::size_t>(base::ceil_div(m, kPanelTokens) * blocks_);
    if (a.panels.size() < need) a.panels.resize(need);
    pool.parallel_for(m, 2 * kPanelTokens, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) {
        make_row(static_cast<int>(t));
        const int lane = static_cast<int>(t % kPanelTokens);
        PanelBlock* panel = a.panels.data() + t / kPanelTokens * blocks_;
        kernels_.quantize(x + t * ldx, blocks_, lane, panel);
      }
    });
    if (m == rows.count) return;
    round_bulk(bulk_.round_for_compact, x, ldx, columns(), m, rows.count - m, a.tiles, pool,
               make_row);
  }

  void multiply(const Activations& x, int m, float* y, std::int64_t ldy,
                base::ThreadPool& pool) const override {
    const auto& a = x.impl();
    CHECK(a.columns == columns() && a.bulk_from <= m);
    multiply_tiles(a, tiles_, a.bulk_from, y, ldy, blocking_, pool);
    if (a.bulk_from == m) return;
    multiply_bulk(bulk_.multiply, bulk_parts_, a.tiles.data(), blocks_, m - a.bulk_from,
                  y + a.bulk_from * ldy, ldy, pool);
  }

  bool multiply_into(const Activations& x, int m, JoinHalves join, const PackedLinear& next,
                     Activations& out, base::ThreadPool& pool) const override {
    const auto& a = x.impl();
    const auto* to = dynamic_cast<const CompactLinear*>(&next);
    const bool halves = bulk_parts_.size() == 2 && bulk_parts_[0].rows == bulk_parts_[1].rows &&
                        bulk_parts_[0].rows % kCompactBlock == 0;
    if (bulk_.multiply == nullptr || a.bulk_from > 0 || m == 0 || !halves) return false;
    if (to == nullptr || to->columns() != bulk_parts_[0].rows) return false;
    CHECK(a.columns == columns() && to->bulk_.multiply == bulk_.multiply);
    auto& b = out.impl();
    b.columns = to->columns();
    b.bulk_from = 0;
    const auto numbers = base::ceil_div(m, kBulkTokens) * to->blocks_ * kBulkTile;
    const BulkJoin joined{join, bulk_.round_for_compact, to->blocks_,
                          b.tiles.reserve(static_cast<std::size_t>(numbers))};
    multiply_bulk_halves(bulk_.multiply, bulk_parts_, a.tiles.data(), blocks_, m, joined, pool);
    return true;
  }

  void tune(std::string_view shape, Tuner& tuner, base::ThreadPool& pool) {
    const std::int64_t tiles = std::min(tiles_, kTunedTiles);
    // Prepared where it has to be measured.
    Activations x;
    std::vector<float> y;
    blocking_ = tuner.choose(std::string(shape), [&](const Blocking& blocking) {
      if (y.empty()) {
        const std::vector<float> ones(static_cast<std::size_t>(kTunedTokens * columns()), 1.0f);
        prepare(ones.data(), columns(), kTunedTokens, x, pool);
        y.resize(static_cast<std::size_t>(kTunedTokens * tiles * kCompactRows));
      }
      multiply_tiles(x.impl(), tiles, kTunedTokens, y.data(), tiles * kCompactRows, blocking, pool);
    });
  }

 private:
  // The first `tiles` tiles of rows. Where there are enough tokens each thread takes its own: the
  // rows that it makes here are those that it reads next.
  void multiply_tiles(const Activations::Impl& x, std::int64_t tiles, int m, float* y,
                      std::int64_t ldy, Blocking blocking, base::ThreadPool& pool) const {
    if (m >= kOwnTokens * pool.size()) {
      const int own = base::round_up(base::ceil_div(m, pool.size()), 2 * kPanelTokens);
      blocking.slab_tokens = std::min(blocking.slab_tokens, own);
    }
    const std::int64_t tasks = base::ceil_div(m, blocking.slab_tokens) * tiles;
    const std::int64_t grain = base::ceil_div(tasks, kHandOuts * pool.size());
    pool.parallel_for(tasks, grain, [&](std::int64_t begin, std::int64_t end) {
      for (auto task = begin; task < end;) {
        const auto slab = task / tiles;
        const auto tile = task % tiles;
        const auto stop = std::min(tiles, tile + end - task);
        run_slab(x, slab, tile, stop, m, y, ldy, blocking);
        task += stop - tile;
      }
    });
  }

  absl::StatusOr<Segment> pack_part(const MatrixView& part, std::int64_t row,
                                    base::ThreadPool* pool) const {
    Segment segment;
    segment.form = compact_form(part.dtype);
    segment.row = row;
    segment.rows = part.rows;
    segment.first_tile = tiles_;
    segment.tiles = base::ceil_div<std::int64_t>(part.rows, kCompactRows);
    segment.tile_bytes = segment.form.tile_bytes(blocks_);
    ASSIGN_OR_RETURN(const auto taken,
                     store_->take(static_cast<std::size_t>(segment.tiles * segment.tile_bytes),
                                  digest_of({&part, 1}, "compact"), pool));
    segment.data = taken.bytes;
    if (taken.packed) return segment;
    const auto stride = row_bytes(part.dtype, part.columns);
    const auto pack_tiles = [&](std::int64_t begin, std::int64_t end) {
      for (auto r = begin * kCompactRows; r < std::min(end * kCompactRows, part.rows); ++r) {
        pack_compact_row(part.dtype, segment.form, part.data + static_cast<std::size_t>(r) * stride,
                         columns(), static_cast<int>(r % kCompactRows),
                         segment.tile(r / kCompactRows));
      }
    };
    if (pool == nullptr) {
      pack_tiles(0, segment.tiles);
    } else {
      pool->parallel_for(segment.tiles, kTilesPerPackTask, pack_tiles);
    }
    return segment;
  }

  // Tiles [begin, end) for one slab of tokens.
  void run_slab(const Activations::Impl& x, std::int64_t slab, std::int64_t begin, std::int64_t end,
                int m, float* y, std::int64_t ldy, const Blocking& blocking) const {
    const std::int64_t first = slab * blocking.slab_tokens;
    CompactTask task;
    task.panels = x.panels.data() + first / kPanelTokens * blocks_;
    task.blocks = blocks_;
    task.m = static_cast<int>(std::min<std::int64_t>(blocking.slab_tokens, m - first));
    task.ldy = ldy;
    for (const auto& segment : segments_) {
      task.form = &segment.form;
      const auto range =
          std::max<std::int64_t>(blocking.range_bytes / segment.form.record_bytes(), 1);
      const auto last = std::min(end, segment.first_tile + segment.tiles);
      for (auto t = std::max(begin, segment.first_tile); t < last; ++t) {
        const auto index = t - segment.first_tile;
        task.tile = segment.tile(index);
        task.rows = static_cast<int>(
            std::min<std::int64_t>(kCompactRows, segment.rows - index * kCompactRows));
        task.y = y + first * ldy + segment.row + index * kCompactRows;
        // Few tokens read each weight once whatever the order.
        run_ranges(task, task.m <= kPanelTokens ? blocks_ : range);
      }
    }
  }

  void run_ranges(CompactTask& task, std::int64_t range) const {
    for (std::int64_t b = 0; b < blocks_; b += range) {
      task.first_block = b;
      task.last_block = std::min(b + range, blocks_);
      kernels_.multiply(task);
    }
  }

  const CompactKernels& kernels_;
  const BulkKernels bulk_;
  const std::int64_t blocks_;
  const std::shared_ptr<PackedStore> store_;  // of the segments' data
  std::int64_t tiles_ = 0;
  std::vector<Segment> segments_;
  std::vector<BulkPart> bulk_parts_;
  Blocking blocking_;
};

std::string tuned_shape(std::span<const MatrixView> parts, Isa isa) {
  std::string shape(isa_name(isa));
  for (const auto& part : parts) {
    shape += fmt::format(" {} {}", dtype_info(part.dtype).name, part.rows);
  }
  return shape + fmt::format("x{}", parts[0].columns);
}

}  // namespace

PackedResult pack_compact(std::span<const MatrixView> parts, const LinearOptions& options) {
  auto packed = std::make_unique<CompactLinear>(parts, options);
  RETURN_IF_ERROR(packed->pack(parts, options.pool));
  if (options.tuner != nullptr) {
    packed->tune(tuned_shape(parts, options.isa), *options.tuner, *options.pool);
  }
  return packed;
}

}  // namespace plinth::tensor
