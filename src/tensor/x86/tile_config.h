// The tile registers' shapes, as LDTILECFG reads them (Intel SDM volume 1, 18.2). A thread that has
// loaded a configuration releases it before it returns.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace plinth::tensor {

struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  void shape(int tile, int tile_rows, int bytes) {
    rows[tile] = static_cast<std::uint8_t>(tile_rows);
    row_bytes[tile] = static_cast<std::uint16_t>(bytes);
  }
  void load() const {
    // GCC 12 declares no memory input on tile instructions: keeps earlier stores before them.
    __asm__ volatile("" ::: "memory");
    _tile_loadconfig(this);
  }
};
static_assert(sizeof(TileConfig) == 64);

}  // namespace plinth::tensor
