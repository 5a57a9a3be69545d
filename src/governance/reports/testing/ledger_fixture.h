// A database with prices, projects and rows, for tests of reports.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "governance/period.h"
#include "governance/price_book.h"
#include "store/limit_store.h"
#include "store/scratch_database.h"
#include "store/tenant_store.h"
#include "store/usage_store.h"

namespace plinth::governance {

class LedgerFixture : public testing::TestWithParam<store::Dialect> {
 protected:
  static constexpr std::int64_t kDay = 86'400;

  void SetUp() override {
    auto scratch = store::ScratchDatabase::make(GetParam());
    ASSERT_TRUE(scratch.ok()) << scratch.status();
    scratch_ = *std::move(scratch);
    auto database = store::Database::open(scratch_->where());
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    store::TenantStore tenants(*database_);
    ASSERT_TRUE(tenants.ensure_organization({"default", "Example, Inc.", 1}).ok());
    ASSERT_TRUE(tenants.insert_project({"proj_a", "default", "=Alpha", 1, {}}).ok());
    ASSERT_TRUE(tenants.insert_project({"proj_b", "default", "Beta \"two\"", 1, 5}).ok());
    put_price({"", "standard", 0, 1'500'000, 750'000, 6'000'001, 0});
    put_price({"m", "standard", november_.from_s + kDay, 333'333, 111'111, 999'999, 0});
    put_price({"", "batch", 0, 7, 5, 11, 0});
  }

  void put_price(const store::PriceRow& row) {
    const auto version = store::LimitStore(*database_).insert_price(row);
    ASSERT_TRUE(version.ok()) << version.status();
  }
  PriceBook book() { return PriceBook(*store::LimitStore(*database_).prices()); }

  // A request as the gateway would have charged it.
  store::LedgerRow request(const std::string& id, std::int64_t time_s) {
    store::LedgerRow row;
    row.id = id;
    row.time_ms = time_s * 1000;
    row.organization = "default";
    row.project = "proj_a";
    row.api_key = "key";
    row.model = "m";
    row.operation = "chat";
    row.input_tokens = 1'000;
    row.cached_tokens = 400;
    row.output_tokens = 50;
    return rated(row);
  }
  store::LedgerRow rated(store::LedgerRow row) {
    const auto price = book().at(row.model, row.service_class, row.time_ms / 1000);
    row.price_version = price.version;
    row.amount_pico = rate(price, {row.input_tokens, row.cached_tokens, row.output_tokens});
    return row;
  }
  // Of November, by projects, models and classes; the last in December.
  std::vector<store::LedgerRow> storm(int count) {
    std::mt19937_64 random(20261101);
    const auto prices = book();
    std::vector<store::LedgerRow> rows;
    for (int i = 0; i < count; ++i) {
      auto row = request(fmt::format("r{}", i),
                         november_.from_s + static_cast<std::int64_t>(random() % (30 * kDay)));
      row.project = random() % 3 == 0 ? "proj_b" : "proj_a";
      row.model = random() % 2 == 0 ? "m" : "n";
      row.service_class = random() % 4 == 0 ? "batch" : "standard";
      row.deployment = random() % 5 == 0 ? "fast" : "";
      row.input_tokens = static_cast<std::int64_t>(random() % 100'000);
      row.cached_tokens =
          row.input_tokens == 0 ? 0 : static_cast<std::int64_t>(random()) % row.input_tokens;
      if (row.cached_tokens < 0) row.cached_tokens = 0;
      row.output_tokens = static_cast<std::int64_t>(random() % 5'000);
      const auto price = prices.at(row.model, row.service_class, row.time_ms / 1000);
      row.price_version = price.version;
      row.amount_pico = rate(price, {row.input_tokens, row.cached_tokens, row.output_tokens});
      rows.push_back(row);
    }
    rows.push_back(request("later", november_.to_s));
    return rows;
  }
  void append(const std::vector<store::LedgerRow>& rows) {
    const auto status = store::UsageStore(*database_).append(rows);
    ASSERT_TRUE(status.ok()) << status;
  }

  const Period november_ = *parse_month("2026-11");
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
};

}  // namespace plinth::governance
