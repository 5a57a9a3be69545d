// The packed form that every kernel of the quantised types reads: as few bytes as the stored
// weights have, since decoding one token is bound by memory.
//
// 16 rows are one tile, one row for each 32-bit lane of a vector of 64 bytes; AVX2 takes a vector
// in two halves of 8 rows. One tile is one stream of memory, read from its start to its end:
//   row_scale[16] fp32, powers of two: y = row_scale * (sum over blocks)
//   for each block of 32 columns one record:
//     d[16] (twice, one for each 16 columns, where sub_block is 16), then m[16] in the same way
//       where the form has offsets; all fp16
//     the integers: byte b of lane r of vector j holds column 4 j + b of row r; nibbles hold vector
//       j (low) and j + 4 (high)
//       nibbles, codes  4 vectors
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

inline constexpr int kCompactRows = 16;
inline constexpr int kCompactBlock = 32;
inline constexpr std::int64_t kCompactVector = kCompactRows * 4;  // bytes
inline constexpr std::int64_t kCompactScales = kCompactRows * 2;  // bytes of 16 scales

enum class Integers : std::uint8_t { nibbles, five, six, bytes, codes };

// Vectors of 64 bytes that hold the integers of one block.
constexpr int stored_vectors(Integers integers) {
  switch (integers) {
    case Integers::five:
      return 5;
    case Integers::six:
      return 6;
    case Integers::bytes:
      return 8;
    default:
      return 4;
  }
}

// The zero of a form without offsets: 4 (Q3_K), 8 (Q4_0), 16 (Q5_0), 32 (Q6_K), or 0 where the
// integers are signed.
constexpr int zero_of(Integers integers, int subs) {
  switch (integers) {
    case Integers::nibbles:
      return subs == 1 ? 8 : 4;
    case Integers::five:
      return 16;
    case Integers::six:
      return 32;
    default:
      return 0;
  }
}

struct CompactForm {
  Integers integers = Integers::bytes;
  int sub_block = 32;    // columns that share d and m: 32 or 16
  bool offsets = false;  // m is stored; otherwise it is 0

  int subs() const { return kCompactBlock / sub_block; }
  int zero() const { return offsets ? 0 : zero_of(integers, subs()); }
  // Of one block.
  std::int64_t scale_bytes() const { return kCompactScales * subs() * (offsets ? 2 : 1); }
  std::int64_t record_bytes() const {
    return scale_bytes() + kCompactVector * stored_vectors(integers);
  }
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
