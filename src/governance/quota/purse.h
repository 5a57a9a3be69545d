// One budget in money: what is spent, what is reserved, and what that leaves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "governance/refusal.h"
#include "store/budget_table.h"

namespace plinth::governance {

// Not thread-safe.
class Purse {
 public:
  explicit Purse(const store::BudgetRow& row) : row_(row) {}

  const store::BudgetRow& row() const { return row_; }
  // Nothing where so much more can be reserved; an amount of 0 asks for anything to be left at all.
  std::optional<absl::Status> refusal(std::int64_t amount_pico, std::int64_t now_s);
  void reserve(std::int64_t amount_pico) { reserved_pico_ += amount_pico; }
  void release(std::int64_t amount_pico) { reserved_pico_ -= amount_pico; }
  void spend(std::int64_t amount_pico, std::int64_t now_s);
  // What the database says: the limit, and all that was spent, by other gateways too.
  void read(const store::BudgetRow& row) { row_ = row; }

 private:
  // A new period begins with nothing spent; what is reserved will be spent in it. A clock that
  // steps back does not open an old one again.
  void move_on(std::int64_t now_s);

  store::BudgetRow row_;
  std::int64_t reserved_pico_ = 0;
};

}  // namespace plinth::governance
