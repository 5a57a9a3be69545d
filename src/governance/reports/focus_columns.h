// The 57 columns of FOCUS 1.2 and what may stand in each.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace plinth::governance {

enum class FocusType : std::uint8_t {
  text,
  decimal,       // an optional sign, digits, a point
  not_negative,  // such a decimal
  time,          // 2026-11-28T00:00:00Z
  currency,      // a code of ISO 4217
  key_values     // a JSON object of plain values
};

struct FocusColumn {
  std::string_view name;
  FocusType type = FocusType::text;
  bool nullable = true;
  std::string_view allowed = {};  // "|One|Other|"; empty = any
};

inline constexpr std::string_view kServiceCategories =
    "|AI and Machine Learning|Analytics|Business Applications|Compute|Databases|Developer Tools|"
    "Identity|Integration|Internet of Things|Management and Governance|Media|Migration|Mobile|"
    "Multicloud|Networking|Security|Storage|Web|Other|";

inline constexpr std::array kFocusColumns = {
    FocusColumn{"AvailabilityZone"},
    FocusColumn{"BilledCost", FocusType::decimal, false},
    FocusColumn{"BillingAccountId", FocusType::text, false},
    FocusColumn{"BillingAccountName"},
    FocusColumn{"BillingAccountType", FocusType::text, false},
    FocusColumn{"BillingCurrency", FocusType::currency, false},
    FocusColumn{"BillingPeriodEnd", FocusType::time, false},
    FocusColumn{"BillingPeriodStart", FocusType::time, false},
    FocusColumn{"CapacityReservationId"},
    FocusColumn{"CapacityReservationStatus", FocusType::text, true, "|Used|Unused|"},
    FocusColumn{"ChargeCategory", FocusType::text, false, "|Usage|Purchase|Tax|Credit|Adjustment|"},
    FocusColumn{"ChargeClass", FocusType::text, true, "|Correction|"},
    FocusColumn{"ChargeDescription"},
    FocusColumn{"ChargeFrequency", FocusType::text, false, "|One-Time|Recurring|Usage-Based|"},
    FocusColumn{"ChargePeriodEnd", FocusType::time, false},
    FocusColumn{"ChargePeriodStart", FocusType::time, false},
    FocusColumn{"CommitmentDiscountCategory", FocusType::text, true, "|Spend|Usage|"},
    FocusColumn{"CommitmentDiscountId"},
    FocusColumn{"CommitmentDiscountName"},
    FocusColumn{"CommitmentDiscountQuantity", FocusType::decimal},
    FocusColumn{"CommitmentDiscountStatus", FocusType::text, true, "|Used|Unused|"},
    FocusColumn{"CommitmentDiscountType"},
    FocusColumn{"CommitmentDiscountUnit"},
    FocusColumn{"ConsumedQuantity", FocusType::decimal},
    FocusColumn{"ConsumedUnit"},
    FocusColumn{"ContractedCost", FocusType::decimal, false},
    FocusColumn{"ContractedUnitPrice", FocusType::not_negative},
    FocusColumn{"EffectiveCost", FocusType::decimal, false},
    FocusColumn{"InvoiceId"},
    FocusColumn{"InvoiceIssuerName", FocusType::text, false},
    FocusColumn{"ListCost", FocusType::decimal, false},
    FocusColumn{"ListUnitPrice", FocusType::not_negative},
    FocusColumn{"PricingCategory", FocusType::text, true, "|Standard|Dynamic|Committed|Other|"},
    FocusColumn{"PricingCurrency", FocusType::text, false},
    FocusColumn{"PricingCurrencyContractedUnitPrice", FocusType::not_negative},
    FocusColumn{"PricingCurrencyEffectiveCost", FocusType::decimal, false},
    FocusColumn{"PricingCurrencyListUnitPrice", FocusType::not_negative},
    FocusColumn{"PricingQuantity", FocusType::decimal},
    FocusColumn{"PricingUnit"},
    FocusColumn{"ProviderName", FocusType::text, false},
    FocusColumn{"PublisherName", FocusType::text, false},
    FocusColumn{"RegionId"},
    FocusColumn{"RegionName"},
    FocusColumn{"ResourceId"},
    FocusColumn{"ResourceName"},
    FocusColumn{"ResourceType"},
    FocusColumn{"ServiceCategory", FocusType::text, false, kServiceCategories},
    FocusColumn{"ServiceName", FocusType::text, false},
    FocusColumn{"ServiceSubcategory", FocusType::text, false},
    FocusColumn{"SkuId"},
    FocusColumn{"SkuMeter"},
    FocusColumn{"SkuPriceDetails", FocusType::key_values},
    FocusColumn{"SkuPriceId"},
    FocusColumn{"SubAccountId"},
    FocusColumn{"SubAccountName"},
    FocusColumn{"SubAccountType"},
    FocusColumn{"Tags", FocusType::key_values},
};
static_assert(kFocusColumns.size() == 57);

// Its place in kFocusColumns; nothing for a name that is none of theirs.
constexpr std::optional<std::size_t> focus_place(std::string_view name) {
  for (std::size_t i = 0; i < kFocusColumns.size(); ++i) {
    if (kFocusColumns[i].name == name) return i;
  }
  return std::nullopt;
}

}  // namespace plinth::governance
