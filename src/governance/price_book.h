// What tokens cost: rating is a function of an event and the prices, so that it can be done again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/limit_store.h"

namespace plinth::governance {

struct TokenCount {
  std::int64_t input = 0;
  std::int64_t cached = 0;  // of input
  std::int64_t output = 0;
};

// Of one token, in pico-units.
struct Price {
  std::int64_t input_pico = 0, cached_pico = 0, output_pico = 0;
  std::int64_t version = 0;         // 0: there is no price, all is free
  std::int64_t unit_hour_pico = 0;  // of one provisioned unit for an hour
};

// Pico-units, exact. Counts are within kTokensMax and the price within kPricePicoMax.
std::int64_t rate(const Price& price, const TokenCount& tokens);

// The same of units times the seconds that they were held, at most an hour of kUnitsMax: whole
// hours are exact, the rest is rounded to a pico-unit, half of one to the even neighbour.
std::int64_t rate_units(const Price& price, std::int64_t unit_seconds);

// Immutable.
class PriceBook {
 public:
  PriceBook() = default;
  explicit PriceBook(std::vector<store::PriceRow> rows);
  // The newest price in effect: of the model, else the one for every model.
  Price at(const std::string& model, const std::string& service_class, std::int64_t time_s) const;
  const std::vector<store::PriceRow>& rows() const { return rows_; }

 private:
  std::vector<store::PriceRow> rows_;
};

}  // namespace plinth::governance
