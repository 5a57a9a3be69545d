#include <immintrin.h>

#include "tensor/x86/ceiling_kernels.h"
#include "tensor/x86/tile_config.h"

namespace plinth::tensor {

namespace {

// Four accumulators hide the 52 cycles of a tile product behind the 16 that it occupies the unit.
// product: four of them, into tiles 0 to 3 from 4 and 5.
template <typename Product>
void loop(std::int64_t rounds, std::int64_t* sink, const Product& product) {
  TileConfig config;
  for (int tile = 0; tile < 6; ++tile) config.shape(tile, 16, 64);
  alignas(64) std::uint8_t data[1024] = {1, 2, 3};
  config.load();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, data, 64);
  _tile_loadd(5, data, 64);
  for (std::int64_t i = 0; i < rounds; ++i) product();
  _tile_stored(0, data, 64);
  _tile_release();
  *sink += data[0];
}

}  // namespace

double int8_amx(std::int64_t rounds, std::int64_t* sink) {
  loop(rounds, sink, [] {
    _tile_dpbusd(0, 4, 5);
    _tile_dpbusd(1, 4, 5);
    _tile_dpbusd(2, 4, 5);
    _tile_dpbusd(3, 4, 5);
  });
  return static_cast<double>(rounds) * 4 * 16 * 16 * 64 * 2;
}

double bf16_amx(std::int64_t rounds, std::int64_t* sink) {
  loop(rounds, sink, [] {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  });
  return static_cast<double>(rounds) * 4 * 16 * 16 * 32 * 2;
}

}  // namespace plinth::tensor
