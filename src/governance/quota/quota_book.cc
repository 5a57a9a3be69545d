#include "governance/quota/quota_book.h"

#include <fmt/format.h>

#include <set>

namespace plinth::governance {

namespace {

const std::vector<QuotaPtr> kNone;

store::QuotaKey key_of(const store::LimitRow& row) {
  return {row.scope_kind, row.scope, row.model, row.resource, false};
}
store::QuotaKey key_of(const store::BudgetRow& row) {
  return {row.scope_kind, row.scope, "", row.period, true};
}

}  // namespace

std::string place(std::string_view kind, std::string_view scope, std::string_view model) {
  return fmt::format("{}\n{}\n{}", kind, scope, model);
}

void QuotaBook::put(Map& map, const std::string& place, store::QuotaKey key, std::int64_t limit) {
  auto& quotas = map[place];
  for (const auto& quota : quotas) {
    if (quota->key() == key) return quota->set_limit(limit);
  }
  quotas.push_back(std::make_shared<Quota>(std::move(key), limit));
}

void QuotaBook::remove(Map& map, const std::string& place, const std::string& name) {
  const auto found = map.find(place);
  if (found == map.end()) return;
  std::erase_if(found->second, [&](const auto& quota) { return quota->key().name == name; });
}

void QuotaBook::put(const store::LimitRow& row) {
  if (!resource_named(row.resource)) return;
  put(limits_, place(row.scope_kind, row.scope, row.model), key_of(row), row.amount);
}
void QuotaBook::put(const store::BudgetRow& row) {
  put(budgets_, place(row.scope_kind, row.scope, ""), key_of(row), row.limit_pico);
}
void QuotaBook::remove(const store::LimitRow& row) {
  remove(limits_, place(row.scope_kind, row.scope, row.model), row.resource);
}
void QuotaBook::remove(const store::BudgetRow& row) {
  remove(budgets_, place(row.scope_kind, row.scope, ""), row.period);
}

void QuotaBook::replace(const std::vector<store::LimitRow>& limits,
                        const std::vector<store::BudgetRow>& budgets) {
  std::set<store::QuotaKey> kept;
  for (const auto& row : limits) {
    put(row);
    kept.insert(key_of(row));
  }
  for (const auto& row : budgets) {
    put(row);
    kept.insert(key_of(row));
  }
  for (auto* map : {&limits_, &budgets_}) {
    for (auto& entry : *map) {
      std::erase_if(entry.second, [&](const auto& quota) { return !kept.contains(quota->key()); });
    }
  }
}

const std::vector<QuotaPtr>& QuotaBook::limits(const std::string& place) const {
  const auto found = limits_.find(place);
  return found == limits_.end() ? kNone : found->second;
}
const std::vector<QuotaPtr>& QuotaBook::budgets(const std::string& place) const {
  const auto found = budgets_.find(place);
  return found == budgets_.end() ? kNone : found->second;
}

void QuotaBook::each(absl::FunctionRef<void(const QuotaPtr&)> take) const {
  for (const auto* map : {&limits_, &budgets_}) {
    for (const auto& entry : *map) {
      for (const auto& quota : entry.second) take(quota);
    }
  }
}

}  // namespace plinth::governance
