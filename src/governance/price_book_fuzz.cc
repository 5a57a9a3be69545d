// A price book in a file: prices within their bounds, or an error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "governance/limits.h"
#include "governance/rerating.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plinth::governance;
  const auto book = parse_price_book({reinterpret_cast<const char*>(data), size});
  if (!book.ok()) return 0;
  for (const auto& row : book->rows()) {
    for (const auto price : {row.input_pico, row.cached_pico, row.output_pico}) {
      if (price < 0 || price > kPricePicoMax) std::abort();
    }
  }
  return 0;
}
