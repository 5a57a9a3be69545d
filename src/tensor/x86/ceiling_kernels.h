// The inner loops of the ceilings. Each returns how many operations or bytes it did and keeps its
// result alive through `sink`.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plinth::tensor {

using ReadLoop = void (*)(const std::uint8_t* data, std::size_t bytes, std::int64_t* sink);
// Returns operations.
using ArithmeticLoop = double (*)(std::int64_t rounds, std::int64_t* sink);

void read_scalar(const std::uint8_t* data, std::size_t bytes, std::int64_t* sink);
void read_avx2(const std::uint8_t* data, std::size_t bytes, std::int64_t* sink);
// The same, fetching ahead of the reads.
void read_memory_avx2(const std::uint8_t* data, std::size_t bytes, std::int64_t* sink);
double fma_scalar(std::int64_t rounds, std::int64_t* sink);
double fma_avx2(std::int64_t rounds, std::int64_t* sink);
double int8_signed_avx2(std::int64_t rounds, std::int64_t* sink);
double int8_widened_avx2(std::int64_t rounds, std::int64_t* sink);
double int8_in_int16_avx2(std::int64_t rounds, std::int64_t* sink);
double fma_avx512(std::int64_t rounds, std::int64_t* sink);
double int8_vnni_avx512(std::int64_t rounds, std::int64_t* sink);
double bf16_avx512(std::int64_t rounds, std::int64_t* sink);
double int8_amx(std::int64_t rounds, std::int64_t* sink);
double bf16_amx(std::int64_t rounds, std::int64_t* sink);

}  // namespace plinth::tensor
