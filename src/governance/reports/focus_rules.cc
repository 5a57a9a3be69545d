#include "governance/reports/focus_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "governance/reports/focus_values.h"

namespace plinth::governance {

namespace {

bool null(const FocusRow& row, std::string_view column) { return !row[column]; }

bool is_correction(const FocusRow& row) { return row.is("ChargeClass", "Correction"); }
bool is_priced(const FocusRow& row) {
  return (row.is("ChargeCategory", "Usage") || row.is("ChargeCategory", "Purchase")) &&
         !is_correction(row);
}
bool is_unrelated(const FocusRow& row) {
  return row.is("ChargeCategory", "Credit") || row.is("ChargeCategory", "Adjustment");
}
bool is_consumption(const FocusRow& row) {
  return row.is("ChargeCategory", "Usage") && !row.is("CommitmentDiscountStatus", "Unused");
}

// True where one of the cells is no such value: that is told of elsewhere.
template <typename Holds>
bool of_times(const FocusRow& row, std::string_view first, std::string_view second, Holds holds) {
  const auto a = parse_focus_time(row[first].value_or(""));
  const auto b = parse_focus_time(row[second].value_or(""));
  return !a || !b || holds(*a, *b);
}
bool same_number(const FocusRow& row, std::string_view first, std::string_view second) {
  const auto a = parse_focus_decimal(row[first].value_or(""));
  const auto b = parse_focus_decimal(row[second].value_or(""));
  return !a || !b || *a == *b;
}
bool is_product(const FocusRow& row, std::string_view cost, std::string_view price) {
  const auto quantity = parse_focus_decimal(row["PricingQuantity"].value_or(""));
  const auto unit = parse_focus_decimal(row[price].value_or(""));
  const auto found = parse_focus_decimal(row[cost].value_or(""));
  if (!quantity || !unit || !found || is_correction(row)) return true;
  return product(*quantity, *unit) == found;
}

// What must hold between columns.
struct Relation {
  std::string_view column, text;
  bool (*holds)(const FocusRow&);
};
constexpr Relation kRelations[] = {
    {"BillingPeriodEnd", "is not after BillingPeriodStart",
     [](const FocusRow& row) {
       return of_times(row, "BillingPeriodStart", "BillingPeriodEnd", std::less<>());
     }},
    {"ChargePeriodEnd", "is not after ChargePeriodStart",
     [](const FocusRow& row) {
       return of_times(row, "ChargePeriodStart", "ChargePeriodEnd", std::less<>());
     }},
    {"ChargePeriodStart", "is before BillingPeriodStart",
     [](const FocusRow& row) {
       return is_correction(row) ||
              of_times(row, "BillingPeriodStart", "ChargePeriodStart", std::less_equal<>());
     }},
    {"ChargePeriodEnd", "is after BillingPeriodEnd",
     [](const FocusRow& row) {
       return is_correction(row) ||
              of_times(row, "ChargePeriodEnd", "BillingPeriodEnd", std::less_equal<>());
     }},
    {"ChargeFrequency", "is Usage-Based of a Purchase",
     [](const FocusRow& row) {
       return !row.is("ChargeCategory", "Purchase") || !row.is("ChargeFrequency", "Usage-Based");
     }},
    {"ListCost", "is not ListUnitPrice times PricingQuantity",
     [](const FocusRow& row) { return is_product(row, "ListCost", "ListUnitPrice"); }},
    {"ContractedCost", "is not ContractedUnitPrice times PricingQuantity",
     [](const FocusRow& row) { return is_product(row, "ContractedCost", "ContractedUnitPrice"); }},
    {"ListCost", "is not BilledCost of a charge that has no unit price",
     [](const FocusRow& row) {
       return !is_unrelated(row) || !null(row, "ListUnitPrice") ||
              same_number(row, "ListCost", "BilledCost");
     }},
    {"ContractedCost", "is not BilledCost of a charge that has no unit price",
     [](const FocusRow& row) {
       return !is_unrelated(row) || !null(row, "ContractedUnitPrice") ||
              same_number(row, "ContractedCost", "BilledCost");
     }},
    {"EffectiveCost", "is not BilledCost of a Credit or Adjustment",
     [](const FocusRow& row) {
       return !is_unrelated(row) || same_number(row, "EffectiveCost", "BilledCost");
     }},
    {"ConsumedQuantity", "is null of Usage that was used",
     [](const FocusRow& row) {
       return !is_consumption(row) || is_correction(row) || !null(row, "ConsumedQuantity");
     }},
    {"ConsumedQuantity", "stands where nothing was used",
     [](const FocusRow& row) { return is_consumption(row) || null(row, "ConsumedQuantity"); }},
    {"ServiceSubcategory", "is none of AI and Machine Learning",
     [](const FocusRow& row) {
       constexpr std::string_view kOfAi =
           "|Bots|Generative AI|Machine Learning|Natural Language Processing|"
           "Other (AI and Machine Learning)|";
       const auto name = "|" + row["ServiceSubcategory"].value_or("") + "|";
       return !row.is("ServiceCategory", "AI and Machine Learning") ||
              kOfAi.find(name) != std::string_view::npos;
     }},
    {"CommitmentDiscountStatus", "is null of Usage under a commitment",
     [](const FocusRow& row) {
       return null(row, "CommitmentDiscountId") || !row.is("ChargeCategory", "Usage") ||
              !null(row, "CommitmentDiscountStatus");
     }},
    {"PricingCategory", "is Committed without a commitment",
     [](const FocusRow& row) {
       return !row.is("PricingCategory", "Committed") || !null(row, "CommitmentDiscountId");
     }},
};

// The first is null where the second is; `both`: and the other way round.
struct Together {
  std::string_view column, of;
  bool both;
};
constexpr Together kTogether[] = {
    {"CapacityReservationStatus", "CapacityReservationId", true},
    {"CommitmentDiscountCategory", "CommitmentDiscountId", true},
    {"CommitmentDiscountName", "CommitmentDiscountId", true},
    {"CommitmentDiscountQuantity", "CommitmentDiscountId", false},
    {"CommitmentDiscountStatus", "CommitmentDiscountId", false},
    {"CommitmentDiscountType", "CommitmentDiscountId", true},
    {"CommitmentDiscountUnit", "CommitmentDiscountQuantity", true},
    {"ConsumedUnit", "ConsumedQuantity", true},
    {"PricingUnit", "PricingQuantity", true},
    {"RegionName", "RegionId", true},
    {"ResourceName", "ResourceId", false},
    {"ResourceType", "ResourceId", true},
    {"SkuMeter", "SkuId", false},
    {"SkuPriceDetails", "SkuPriceId", false},
    {"SkuPriceId", "SkuId", false},
    {"SubAccountName", "SubAccountId", true},
    {"SubAccountType", "SubAccountId", true},
};

// Never null of Usage and Purchase that correct nothing; always of Tax.
constexpr std::string_view kOfPrices[] = {"ContractedUnitPrice",
                                          "ListUnitPrice",
                                          "PricingCategory",
                                          "PricingCurrencyContractedUnitPrice",
                                          "PricingCurrencyListUnitPrice",
                                          "PricingQuantity",
                                          "PricingUnit",
                                          "SkuId",
                                          "SkuPriceId"};

void check_cells(const FocusRow& row, const FocusReport& report) {
  for (std::size_t i = 0; i < kFocusColumns.size(); ++i) {
    const auto& column = kFocusColumns[i];
    const auto& cell = row.cells[i];
    if (!cell) {
      if (!column.nullable) report(column.name, "is null");
      continue;
    }
    if (cell->empty()) {
      report(column.name, "is an empty text: null is an empty cell");
      continue;
    }
    const auto expected = expected_of(column.type, *cell);
    if (!expected.empty()) {
      report(column.name, fmt::format("'{}' is not {}", *cell, expected));
    } else if (!column.allowed.empty() &&
               (cell->find('|') != std::string::npos ||
                column.allowed.find("|" + *cell + "|") == std::string_view::npos)) {
      report(column.name, fmt::format("'{}' is not allowed", *cell));
    }
  }
}

}  // namespace

std::array<std::optional<std::size_t>, kFocusColumns.size()> check_focus_header(
    const std::vector<CsvCell>& header, const FocusReport& report) {
  std::array<std::optional<std::size_t>, kFocusColumns.size()> places;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const std::string name = header[i].value_or("");
    const auto place = focus_place(name);
    if (!place) {
      if (!name.starts_with("x_")) report(name, "is no column of FOCUS 1.2, and has no x_");
    } else if (places[*place]) {
      report(name, "stands there twice");
    } else {
      places[*place] = i;
    }
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!places[i]) report(kFocusColumns[i].name, "is missing");
  }
  return places;
}

void check_focus_row(const FocusRow& row, const FocusReport& report) {
  check_cells(row, report);
  for (const auto& relation : kRelations) {
    if (!relation.holds(row)) report(relation.column, std::string(relation.text));
  }
  for (const auto& pair : kTogether) {
    if (null(row, pair.of) && !null(row, pair.column))
      report(pair.column, fmt::format("stands without {}", pair.of));
    if (pair.both && !null(row, pair.of) && null(row, pair.column))
      report(pair.column, fmt::format("is null beside a {}", pair.of));
  }
  for (const auto column : kOfPrices) {
    if (is_priced(row) && null(row, column)) report(column, "is null of Usage or Purchase");
    if (row.is("ChargeCategory", "Tax") && !null(row, column)) report(column, "stands in a Tax");
  }
}

}  // namespace plinth::governance
