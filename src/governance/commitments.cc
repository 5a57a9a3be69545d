#include "governance/commitments.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "base/log.h"
#include "store/limit_store.h"
#include "store/sha256.h"

namespace plinth::governance {

namespace {

constexpr std::int64_t kHour = 3600;

// What one row is about.
using Key = std::tuple<std::string, std::string, std::int64_t, std::string, std::int64_t>;

store::LedgerRow row_of(const store::CommitmentSpan& span, std::int64_t from_s,
                        const Price& price) {
  store::LedgerRow row;
  row.time_ms = from_s * 1000;
  row.organization = span.organization;
  row.project = span.project;
  row.deployment = span.project + "/" + span.deployment;
  row.model = span.model;
  row.operation = "commitment";
  row.service_class = "provisioned";
  row.kind = "commitment";
  row.choices = 0;
  row.price_version = price.version;
  store::Sha256 digest;
  for (const auto& part :
       {row.deployment, row.model, std::to_string(from_s / kHour), std::to_string(price.version)}) {
    digest.update({part.c_str(), part.size() + 1});
  }
  row.id = "ptu_" + digest.hex().substr(0, 24);
  return row;
}

// Where the span is cut: ends of hours, and seconds from which something may cost otherwise.
std::vector<std::int64_t> cuts_of(const store::CommitmentSpan& span, const PriceBook& prices) {
  std::vector<std::int64_t> cuts;
  for (auto at = span.from_s - span.from_s % kHour + kHour; at < span.to_s; at += kHour)
    cuts.push_back(at);
  for (const auto& price : prices.rows()) {
    if (price.effective_s > span.from_s && price.effective_s < span.to_s)
      cuts.push_back(price.effective_s);
  }
  cuts.push_back(span.to_s);
  std::sort(cuts.begin(), cuts.end());
  return cuts;
}

}  // namespace

std::vector<store::LedgerRow> commitment_rows(std::span<const store::CommitmentSpan> spans,
                                              const PriceBook& prices) {
  std::map<Key, std::pair<store::LedgerRow, Price>> rows;
  for (const auto& span : spans) {
    if (span.units == 0) continue;
    auto from_s = span.from_s;
    for (const auto to_s : cuts_of(span, prices)) {
      const auto price = prices.at(span.model, "provisioned", from_s);
      const Key key{span.project, span.deployment, from_s / kHour, span.model, price.version};
      auto& [row, rated] = rows[key];
      if (row.id.empty()) row = row_of(span, from_s, price);
      rated = price;
      row.choices += span.units * (to_s - from_s);
      from_s = to_s;
    }
  }
  std::vector<store::LedgerRow> out;
  out.reserve(rows.size());
  for (auto& entry : rows) {
    auto& [row, price] = entry.second;
    row.amount_pico = rate_units(price, row.choices);
    out.push_back(std::move(row));
  }
  return out;
}

absl::StatusOr<std::int64_t> Commitments::charge() {
  for (;;) {
    ASSIGN_OR_RETURN(const auto charged,
                     store_.charge([&](std::span<const store::CommitmentSpan> spans)
                                       -> absl::StatusOr<std::vector<store::LedgerRow>> {
                       auto prices = store::LimitStore(database_).prices();
                       if (!prices.ok()) return prices.status();
                       return commitment_rows(spans, PriceBook(*std::move(prices)));
                     }));
    if (charged.rows > 0) {
      LOG(info, "charged what deployments held of provisioned throughput: {} rows", charged.rows);
    }
    if (charged.is_all) return charged.until_s;
  }
}

}  // namespace plinth::governance
