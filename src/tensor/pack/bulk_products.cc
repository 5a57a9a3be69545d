#include "tensor/pack/bulk_products.h"

#include <algorithm>

#include "base/units.h"

namespace plinth::tensor {

namespace {

// Tokens that pass by a range of weights before the next is unpacked: their activations of one
// range (640 KiB) and their sums (512 KiB) stay in the second-level cache.
constexpr int kSlab = 512;
// Hand-outs for each thread: enough to even out a thread that lost its core for a while.
constexpr std::int64_t kHandOuts = 4;
constexpr std::int64_t kRowsPerTask = 8;
// Tiles of either half at a time: outputs of 512 tokens take 512 KiB.
constexpr std::int64_t kHalfTiles = 8;
// Of y for each thread: with less, some of it is still in the second-level cache (2 MiB) when what
// follows reads it.
constexpr std::int64_t kPastCaches = std::int64_t{2} << 20;

std::int64_t tiles_of(const BulkPart& part) {
  return base::ceil_div<std::int64_t>(part.rows, kCompactRows);
}

// Tiles [tile, tile + count) of one part, with the calling thread's scratch.
BulkTask task_of(const BulkPart& part, std::int64_t tile, std::int64_t count) {
  thread_local AlignedScratch<std::uint16_t> unpacked;
  thread_local AlignedScratch<float> sums;
  BulkTask task;
  task.form = part.form;
  task.tiles = part.tiles + tile * part.tile_bytes;
  task.tile_bytes = part.tile_bytes;
  task.tile_count = static_cast<int>(count);
  task.last_rows = static_cast<int>(
      std::min<std::int64_t>(kCompactRows, part.rows - (tile + count - 1) * kCompactRows));
  task.unpacked = unpacked.reserve(2 * kBulkRangeMax * kBulkTile);
  task.sums = sums.reserve(std::size_t{kBulkTaskTiles} * kSlab * kCompactRows);
  return task;
}

// body(first token, tokens, chunk) for each slab of m tokens and each of so many chunks.
void for_slabs(int m, std::int64_t chunks, base::ThreadPool& pool,
               absl::FunctionRef<void(int first, int tokens, std::int64_t chunk)> body) {
  // Where there are enough tokens each thread takes its own: the rows that it made.
  const bool own = m >= 2 * kBulkTokens * pool.size();
  const int share_of_m = base::round_up(base::ceil_div(m, pool.size()), 2 * kBulkTokens);
  const int slab = own ? std::min(kSlab, share_of_m) : kSlab;
  const auto tasks = base::ceil_div(m, slab) * chunks;
  pool.parallel_for(tasks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto task = begin; task < end; ++task) {
      const int first = static_cast<int>(task / chunks) * slab;
      body(first, std::min(slab, m - first), task % chunks);
    }
  });
}

}  // namespace

void round_bulk(BulkRound round, const float* x, std::int64_t ldx, std::int64_t columns, int first,
                int m, AlignedScratch<std::uint16_t>& tiles, base::ThreadPool& pool,
                absl::FunctionRef<void(int row)> make_row) {
  const auto blocks = base::ceil_div<std::int64_t>(columns, kCompactBlock);
  const auto numbers = base::ceil_div(m, kBulkTokens) * blocks * kBulkTile;
  std::uint16_t* out = tiles.reserve(static_cast<std::size_t>(numbers));
  pool.parallel_for(m, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (auto t = begin; t < end; ++t) {
      make_row(static_cast<int>(first + t));
      round(x + (first + t) * ldx, columns, out + bulk_place(t, 0, blocks));
    }
  });
}

void multiply_bulk(BulkProduct product, std::span<const BulkPart> parts, const std::uint16_t* x,
                   std::int64_t blocks, int m, float* y, std::int64_t ldy, base::ThreadPool& pool) {
  std::int64_t tiles = 0;
  for (const auto& part : parts) tiles += tiles_of(part);
  // Kernels take tiles in twos.
  const auto share =
      base::round_up<std::int64_t>(base::ceil_div(tiles, kHandOuts * pool.size()), 2);
  const auto chunk = std::min<std::int64_t>(share, kBulkTaskTiles);
  std::int64_t chunks = 0;
  for (const auto& part : parts) chunks += base::ceil_div(tiles_of(part), chunk);
  const bool lines = reinterpret_cast<std::uintptr_t>(y) % 64 == 0 && ldy % 16 == 0;
  const bool past_caches = lines && m * ldy * 4 > kPastCaches * pool.size();
  for_slabs(m, chunks, pool, [&](int first, int tokens, std::int64_t index) {
    const BulkPart* part = parts.data();
    for (; index >= base::ceil_div(tiles_of(*part), chunk); ++part) {
      index -= base::ceil_div(tiles_of(*part), chunk);
    }
    const auto tile = index * chunk;
    BulkTask task = task_of(*part, tile, std::min(chunk, tiles_of(*part) - tile));
    task.x = x + bulk_place(first, 0, blocks);
    task.blocks = blocks;
    task.m = tokens;
    task.y = y + first * ldy + part->row + tile * kCompactRows;
    task.ldy = ldy;
    task.past_caches = past_caches && part->row % 16 == 0;
    product(task);
  });
}

void multiply_bulk_halves(BulkProduct product, std::span<const BulkPart> halves,
                          const std::uint16_t* x, std::int64_t blocks, int m,
                          const BulkJoin& joined, base::ThreadPool& pool) {
  constexpr std::int64_t kRows = kHalfTiles * kCompactRows, kStride = 2 * kRows + kCompactRows;
  const auto tiles = tiles_of(halves[0]);
  for_slabs(
      m, base::ceil_div(tiles, kHalfTiles), pool, [&](int first, int tokens, std::int64_t index) {
        thread_local AlignedScratch<float> outputs;
        float* y = outputs.reserve(static_cast<std::size_t>(kSlab * kStride));
        const auto tile = index * kHalfTiles;
        const auto count = std::min(kHalfTiles, tiles - tile);
        for (std::int64_t half = 0; half < 2; ++half) {
          BulkTask task = task_of(halves[static_cast<std::size_t>(half)], tile, count);
          task.x = x + bulk_place(first, 0, blocks);
          task.blocks = blocks;
          task.m = tokens;
          task.y = y + half * kRows;
          task.ldy = kStride;
          product(task);
        }
        const auto column = tile * kCompactRows, columns = count * kCompactRows;
        for (int t = 0; t < tokens; ++t, y += kStride) {
          joined.join(column, columns, y, y + kRows);
          joined.round(y, columns,
                       joined.out + bulk_place(first + t, column / kCompactBlock, joined.blocks));
        }
      });
}

}  // namespace plinth::tensor
