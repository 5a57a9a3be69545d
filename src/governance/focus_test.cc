// The FOCUS export beside its own rule table, and the table beside files that break it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "governance/focus_export.h"
#include "governance/invoice.h"
#include "governance/reports/csv.h"
#include "governance/reports/focus_rules.h"
#include "governance/reports/focus_values.h"
#include "governance/reports/testing/ledger_fixture.h"

namespace plinth::governance {
namespace {

class FocusTest : public LedgerFixture {
 protected:
  std::string exported() {
    std::string text;
    const auto totals =
        export_focus(*database_, {"default", november_, "Ours, Ltd."}, [&](std::string_view row) {
          text += row;
          return absl::OkStatus();
        });
    EXPECT_TRUE(totals.ok()) << totals.status();
    if (totals.ok()) totals_ = *totals;
    return text;
  }
  FocusTotals totals_;
};
INSTANTIATE_TEST_SUITE_P(Reports, FocusTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(FocusTest, KeepsEveryRuleAndIsTheInvoice) {
  auto rows = storm(400);
  auto credit = request("credit", november_.from_s);
  credit.kind = "credit";
  credit.input_tokens = credit.cached_tokens = credit.output_tokens = 0;
  credit.amount_pico = -12'345;
  rows.push_back(credit);
  append(rows);
  const auto csv = exported();
  const auto findings = check_focus(csv);
  ASSERT_TRUE(findings.ok()) << findings.status();
  for (const auto& finding : *findings)
    ADD_FAILURE() << finding.line << " " << finding.column << " " << finding.what;
  EXPECT_GT(totals_.rows, 400);
  const auto invoice = make_invoice(*database_, {"default", november_, ""});
  EXPECT_TRUE(totals_.billed_pico == __int128{invoice->total_cents} * 10'000'000'000);
  // The same, added up from the file.
  __int128 billed = 0;
  std::size_t width = 0, place = *focus_place("BilledCost"), line_count = 0;
  ASSERT_TRUE(read_csv(csv, [&](std::size_t, const std::vector<CsvCell>& cells) {
                width = cells.size();
                if (line_count++ == 0) return absl::OkStatus();
                auto value = *parse_focus_decimal(*cells[place]);
                for (; value.scale < 12; ++value.scale) value.mantissa *= 10;
                billed += value.mantissa;
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(width, 57u);
  EXPECT_TRUE(billed == totals_.billed_pico);
}

TEST_P(FocusTest, AnEmptyMonthIsAHeader) {
  const auto csv = exported();
  EXPECT_EQ(totals_.rows, 0);
  EXPECT_TRUE(check_focus(csv)->empty());
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1);
}

// A row that keeps every rule, and cells of it that do not.
class FocusRules : public testing::Test {
 protected:
  FocusRules() {
    for (const auto& [column, value] : std::vector<std::pair<const char*, const char*>>{
             {"BilledCost", "3"},
             {"BillingAccountId", "default"},
             {"BillingAccountType", "Organization"},
             {"BillingCurrency", "USD"},
             {"BillingPeriodStart", "2026-11-01T00:00:00Z"},
             {"BillingPeriodEnd", "2026-12-01T00:00:00Z"},
             {"ChargeCategory", "Usage"},
             {"ChargeFrequency", "Usage-Based"},
             {"ChargePeriodStart", "2026-11-30T00:00:00Z"},
             {"ChargePeriodEnd", "2026-12-01T00:00:00Z"},
             {"ConsumedQuantity", "1500000"},
             {"ConsumedUnit", "Tokens"},
             {"ContractedCost", "3.0"},
             {"ContractedUnitPrice", "2"},
             {"EffectiveCost", "3"},
             {"InvoiceIssuerName", "Plinth"},
             {"ListCost", "3"},
             {"ListUnitPrice", "2.00"},
             {"PricingCategory", "Standard"},
             {"PricingCurrency", "USD"},
             {"PricingCurrencyContractedUnitPrice", "2"},
             {"PricingCurrencyEffectiveCost", "3"},
             {"PricingCurrencyListUnitPrice", "2"},
             {"PricingQuantity", "1.5"},
             {"PricingUnit", "1000000 Tokens"},
             {"ProviderName", "Plinth"},
             {"PublisherName", "Plinth"},
             {"ServiceCategory", "AI and Machine Learning"},
             {"ServiceName", "Plinth"},
             {"ServiceSubcategory", "Generative AI"},
             {"SkuId", "m:input"},
             {"SkuMeter", "Input Tokens"},
             {"SkuPriceId", "m:input:standard"}}) {
      set(column, value);
    }
  }
  void set(std::string_view column, CsvCell value) {
    row_.cells.at(*focus_place(column)) = std::move(value);
  }
  std::vector<std::string> broken() const {
    std::vector<std::string> columns;
    check_focus_row(
        row_, [&](std::string_view column, const std::string&) { columns.emplace_back(column); });
    return columns;
  }
  FocusRow row_;
};

TEST_F(FocusRules, EachHasAValueThatBreaksIt) {
  ASSERT_TRUE(broken().empty()) << broken().front();
  struct Break {
    const char *column, *value, *found;  // "" = null
  };
  for (const auto& one :
       std::vector<Break>{{"BilledCost", "", "BilledCost"},
                          {"BilledCost", "1e3", "BilledCost"},
                          {"BilledCost", "+3", "BilledCost"},
                          {"BilledCost", "3,0", "BilledCost"},
                          {"BilledCost", "$3", "BilledCost"},
                          {"BillingAccountId", "", "BillingAccountId"},
                          {"BillingAccountType", "", "BillingAccountType"},
                          {"BillingCurrency", "usd", "BillingCurrency"},
                          {"BillingCurrency", "QQQ", "BillingCurrency"},
                          {"BillingCurrency", "SD|", "BillingCurrency"},
                          {"BillingPeriodEnd", "2026-11-01T00:00:00Z", "BillingPeriodEnd"},
                          {"BillingPeriodStart", "2026-11-01", "BillingPeriodStart"},
                          {"BillingPeriodStart", "2026-11-01T00:00:00+00:00", "BillingPeriodStart"},
                          {"BillingPeriodStart", "2026-11-31T00:00:00Z", "BillingPeriodStart"},
                          {"CapacityReservationStatus", "Used", "CapacityReservationStatus"},
                          {"CapacityReservationId", "r", "CapacityReservationStatus"},
                          {"ChargeCategory", "Refund", "ChargeCategory"},
                          {"ChargeCategory", "Usage|Tax", "ChargeCategory"},
                          {"ChargeCategory", "Tax", "PricingUnit"},
                          {"ChargeCategory", "Credit", "ConsumedQuantity"},
                          {"ChargeCategory", "Purchase", "ChargeFrequency"},
                          {"ChargeClass", "Refund", "ChargeClass"},
                          {"ChargeFrequency", "Daily", "ChargeFrequency"},
                          {"ChargePeriodEnd", "2026-11-29T00:00:00Z", "ChargePeriodEnd"},
                          {"ChargePeriodEnd", "2026-12-02T00:00:00Z", "ChargePeriodEnd"},
                          {"ChargePeriodStart", "2026-10-31T00:00:00Z", "ChargePeriodStart"},
                          {"CommitmentDiscountId", "c", "CommitmentDiscountStatus"},
                          {"CommitmentDiscountName", "c", "CommitmentDiscountName"},
                          {"ConsumedQuantity", "", "ConsumedQuantity"},
                          {"ConsumedUnit", "", "ConsumedUnit"},
                          {"ContractedCost", "3.01", "ContractedCost"},
                          {"ListCost", "2.999999999999", "ListCost"},
                          {"ListUnitPrice", "-2", "ListUnitPrice"},
                          {"ListUnitPrice", "", "ListUnitPrice"},
                          {"PricingCategory", "", "PricingCategory"},
                          {"PricingCategory", "Committed", "PricingCategory"},
                          {"PricingCurrency", "", "PricingCurrency"},
                          {"PricingQuantity", "", "PricingQuantity"},
                          {"PricingUnit", "", "PricingUnit"},
                          {"RegionId", "eu", "RegionName"},
                          {"ResourceId", "m", "ResourceType"},
                          {"ResourceName", "m", "ResourceName"},
                          {"ServiceCategory", "Artificial Intelligence", "ServiceCategory"},
                          {"ServiceSubcategory", "Chat", "ServiceSubcategory"},
                          {"SkuId", "", "SkuMeter"},
                          {"SkuPriceDetails", "{", "SkuPriceDetails"},
                          {"SkuPriceDetails", "{\"a\":[1]}", "SkuPriceDetails"},
                          {"SkuPriceId", "", "SkuPriceId"},
                          {"SubAccountId", "p", "SubAccountName"},
                          {"SubAccountType", "Project", "SubAccountType"},
                          {"Tags", "[]", "Tags"}}) {
    const auto kept = row_;
    set(one.column, *one.value == '\0' ? CsvCell() : CsvCell(one.value));
    EXPECT_THAT(broken(), testing::Contains(one.found)) << one.column << " " << one.value;
    row_ = kept;
  }
}

TEST_F(FocusRules, AnEmptyTextIsNoNull) {
  set("RegionId", "");
  EXPECT_THAT(broken(), testing::Contains("RegionId"));
}

TEST_F(FocusRules, CorrectionsMayDiffer) {
  set("ChargeClass", "Correction");
  set("ListCost", "9");
  set("ChargePeriodStart", "2026-10-31T00:00:00Z");
  EXPECT_TRUE(broken().empty()) << broken().front();
}

TEST_F(FocusRules, HeadersAreComplete) {
  std::vector<CsvCell> header;
  for (const auto& column : kFocusColumns) header.emplace_back(column.name);
  const auto told = [](const std::vector<CsvCell>& names) {
    std::vector<std::string> columns;
    check_focus_header(
        names, [&](std::string_view column, const std::string&) { columns.emplace_back(column); });
    return columns;
  };
  EXPECT_TRUE(told(header).empty());
  header.emplace_back("x_ours");
  EXPECT_TRUE(told(header).empty());
  header[0] = "Zone";
  header.emplace_back("Tags");
  EXPECT_THAT(told(header), testing::ElementsAre("Zone", "Tags", "AvailabilityZone"));
}

TEST(CheckFocus, NamesLineAndColumn) {
  std::string csv;
  for (const auto& column : kFocusColumns)
    csv += (csv.empty() ? "" : ",") + std::string(column.name);
  csv += "\r\na,b\r\n";
  const auto findings = check_focus(csv);
  ASSERT_EQ(findings->size(), 1u);
  EXPECT_EQ((*findings)[0].line, 2u);
  EXPECT_EQ((*findings)[0].what, "the row has 2 cells, the header 57");
  EXPECT_EQ(check_focus("")->size(), 1u);
  EXPECT_FALSE(check_focus("\"").ok());
}

}  // namespace
}  // namespace plinth::governance
