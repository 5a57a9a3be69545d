#include <immintrin.h>

#include "tensor/x86/ceiling_kernels.h"

namespace plinth::tensor {

// Four accumulators hide the 52 cycles of a tile product behind the 16 that it occupies the unit.
double int8_amx(std::int64_t rounds, std::int64_t* sink) {
  struct alignas(64) {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16};
  } config;
  alignas(64) std::uint8_t data[1024] = {1, 2, 3};
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, data, 64);
  _tile_loadd(5, data, 64);
  for (std::int64_t i = 0; i < rounds; ++i) {
    _tile_dpbusd(0, 4, 5);
    _tile_dpbusd(1, 4, 5);
    _tile_dpbusd(2, 4, 5);
    _tile_dpbusd(3, 4, 5);
  }
  _tile_stored(0, data, 64);
  _tile_release();
  *sink += data[0];
  return static_cast<double>(rounds) * 4 * 16 * 16 * 64 * 2;
}

}  // namespace plinth::tensor
