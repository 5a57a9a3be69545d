// Every limit and budget that there is, found by whom it is for.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "governance/quota/quota.h"
#include "store/limit_store.h"

namespace plinth::governance {

// Shared pointers: a limit may be removed while requests hold parts of it.
using QuotaPtr = std::shared_ptr<Quota>;

// Ids hold no newline.
std::string place(std::string_view kind, std::string_view scope, std::string_view model);

// Not thread-safe.
class QuotaBook {
 public:
  // Those of resources that a newer program knows are left out.
  void put(const store::LimitRow& row);
  void put(const store::BudgetRow& row);
  void remove(const store::LimitRow& row);
  void remove(const store::BudgetRow& row);
  // Everything is as the rows say.
  void replace(const std::vector<store::LimitRow>& limits,
               const std::vector<store::BudgetRow>& budgets);

  const std::vector<QuotaPtr>& limits(const std::string& place) const;
  const std::vector<QuotaPtr>& budgets(const std::string& place) const;
  void each(absl::FunctionRef<void(const QuotaPtr&)> take) const;

 private:
  using Map = std::unordered_map<std::string, std::vector<QuotaPtr>>;
  static void put(Map& map, const std::string& place, store::QuotaKey key, std::int64_t limit);
  static void remove(Map& map, const std::string& place, const std::string& name);

  Map limits_, budgets_;  // by place
};

}  // namespace plinth::governance
