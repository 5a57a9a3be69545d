#include <immintrin.h>

#include <algorithm>

#include "tensor/x86/float_kernels.h"
#include "tensor/x86/tile_config.h"

namespace plinth::tensor {

namespace {

constexpr int kTokens = 16;  // of one tile
constexpr int kTiles = 4;    // whose sums are under way at once
constexpr int kTileBytes = 64;
constexpr std::int64_t kWeightTile = 16 * kTileBytes;

// Tiles 0..3 hold sums, 4 the weights of 32 columns, 5 to 7 activations in turn.
void configure(int tokens) {
  TileConfig config;
  for (const int c : {0, 1, 2, 3}) config.shape(c, tokens, kTileBytes);
  config.shape(4, 16, kTileBytes);
  for (const int a : {5, 6, 7}) config.shape(a, tokens, kTileBytes);
  config.load();
}

// 64 tokens: each tile of weights is loaded once for four products.
void four_tiles(const BfloatTask& task) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const std::int64_t stride = task.columns * 2;
  const std::uint8_t* w = task.group;
  for (std::int64_t c = 0; c < task.columns; c += kBfloatTile, w += kWeightTile) {
    const std::uint16_t* x = task.x + c;
    _tile_loadd(4, w, kTileBytes);
    _tile_loadd(5, x, stride);
    _tile_dpbf16ps(0, 5, 4);
    _tile_loadd(6, x + kTokens * task.columns, stride);
    _tile_dpbf16ps(1, 6, 4);
    _tile_loadd(7, x + 2 * kTokens * task.columns, stride);
    _tile_dpbf16ps(2, 7, 4);
    _tile_loadd(5, x + 3 * kTokens * task.columns, stride);
    _tile_dpbf16ps(3, 5, 4);
  }
  const std::int64_t ldy = task.ldy * 4;
  _tile_stored(0, task.y, ldy);
  _tile_stored(1, task.y + kTokens * task.ldy, ldy);
  _tile_stored(2, task.y + 2 * kTokens * task.ldy, ldy);
  _tile_stored(3, task.y + 3 * kTokens * task.ldy, ldy);
}

void one_tile(const BfloatTask& task) {
  _tile_zero(0);
  const std::uint8_t* w = task.group;
  for (std::int64_t c = 0; c < task.columns; c += kBfloatTile, w += kWeightTile) {
    _tile_loadd(4, w, kTileBytes);
    _tile_loadd(5, task.x + c, task.columns * 2);
    _tile_dpbf16ps(0, 5, 4);
  }
  _tile_stored(0, task.y, task.ldy * 4);
}

}  // namespace

void multiply_bfloat_amx(const BfloatTask& all) {
  BfloatTask task = all;
  int configured = 0;
  while (task.m > 0) {
    const int tokens = std::min(task.m, kTokens);
    if (tokens != configured) configure(tokens);
    configured = tokens;
    const bool four = task.m >= kTiles * kTokens;
    if (four) {
      four_tiles(task);
    } else {
      one_tile(task);
    }
    const int done = four ? kTiles * kTokens : tokens;
    task.x += done * task.columns;
    task.y += done * task.ldy;
    task.m -= done;
  }
  _tile_release();
  // Later loads of y read what the tiles stored.
  __asm__ volatile("" ::: "memory");
}

}  // namespace plinth::tensor
