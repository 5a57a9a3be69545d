// The packed form that the scalar and AVX2 kernels read: as few bytes as the stored weights have,
// since decoding one token is bound by memory.
//
// 16 rows are one tile, in two halves of 8, one row for each 32-bit lane. One tile is one stream of
// memory, read from its start to its end:
//   row_scale[16] fp32, powers of two: y = row_scale * (sum over blocks)
//   for each block of 32 columns one record:
//     for each half: d[8] (twice, one for each 16 columns, where sub_block is 16), then m[8] in the
//       same way where the form has offsets; all fp16
//     for each half the integers: byte b of lane r of vector j holds column 4 j + b of row r;
//       nibbles hold vector j (low) and j + 4 (high)
//       nibbles, codes  4 vectors of 32 bytes
//       five            4 vectors, then one whose bit j is bit 4 of the integers of vector j
//       six             4 vectors, then two for vectors 0..3 and 4..7 whose bits 2 j, 2 j + 1 are
//                       bits 4 and 5 of the integers of vector j of their four
//       bytes           8 vectors, signed
// w = d * (q - zero) + m. Scales are brought into the middle of fp16's range by row_scale, so that
// neither tiny nor huge ones lose bits: exact for the types that store fp16 scales, within 2^-12
// for the products that the K types make.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"
#include "tensor/dtype.h"

namespace plinth::tensor {

inline constexpr int kCompactHalf = 8;
inline constexpr int kCompactRows = 2 * kCompactHalf;
inline constexpr int kCompactBlock = 32;

enum class Integers : std::uint8_t { nibbles, five, six, bytes, codes };

struct CompactForm {
  Integers integers = Integers::bytes;
  int sub_block = 32;    // columns that share d and m: 32 or 16
  bool offsets = false;  // m is stored; otherwise it is 0
  int zero = 0;

  int subs() const { return kCompactBlock / sub_block; }
  // Of one half and block.
  std::int64_t scale_bytes() const { return 16 * subs() * (offsets ? 2 : 1); }
  std::int64_t integer_bytes() const {
    switch (integers) {
      case Integers::five:
        return 160;
      case Integers::six:
        return 192;
      case Integers::bytes:
        return 256;
      default:
        return 128;
    }
  }
  std::int64_t record_bytes() const { return 2 * (scale_bytes() + integer_bytes()); }
  std::int64_t tile_bytes(std::int64_t blocks) const {
    return base::round_up<std::int64_t>(kCompactRows * 4 + blocks * record_bytes(), 64);
  }
};

// Whether the type has a compact form: the quantised ones do.
bool has_compact_form(DType dtype);
CompactForm compact_form(DType dtype);

// Packs one stored row as row `row` of a tile whose bytes are zero. columns is a multiple of 32.
void pack_compact_row(DType dtype, const CompactForm& form, const std::uint8_t* stored,
                      std::int64_t columns, int row, std::uint8_t* tile);

}  // namespace plinth::tensor
