#include "governance/focus_export.h"

#include <fmt/format.h>

#include <map>

#include "base/json.h"
#include "governance/invoice.h"
#include "governance/money.h"
#include "governance/reports/focus_rules.h"
#include "governance/reports/project_names.h"
#include "governance/reports/rated_sum.h"
#include "store/ledger_scan.h"
#include "store/limit_store.h"
#include "store/tenant_store.h"

namespace plinth::governance {

namespace {

constexpr std::int64_t kHour = 3600, kDay = 86'400;
constexpr std::int64_t kMillion = 1'000'000;
constexpr char kCurrency[] = "USD";

// What a group of rows is: the dimensions that export_focus() asks for.
struct Charge {
  std::string project, deployment, model, service_class;
  std::int64_t day_s = 0;
};

class Exporter {
 public:
  Exporter(const FocusQuery& query, std::string organization_name,
           std::map<std::string, std::string> projects,
           const std::function<absl::Status(std::string_view)>& write)
      : query_(query),
        organization_name_(std::move(organization_name)),
        projects_(std::move(projects)),
        write_(write) {}

  absl::Status write_header() {
    std::vector<CsvCell> names;
    for (const auto& column : kFocusColumns) names.emplace_back(column.name);
    return write_(csv_row(names));
  }

  absl::Status write_part(const Charge& charge, const RatedPart& part) {
    FocusRow row = common(charge.day_s, charge.day_s + kDay, part.amount_pico);
    name_account(row, charge.project);
    name_resource(row, charge);
    if (part.tokens > 0) {
      price(row, charge, part);
    } else if (part.meter == kCommitment) {
      commit(row, charge, part);
    } else {
      set(row, "ChargeCategory", part.meter == kCredit ? "Credit" : "Adjustment");
      set(row, "ChargeFrequency", "One-Time");
      set(row, "ChargeDescription", fmt::format("{} of {}", part.meter, csv_text(charge.model)));
    }
    return write_row(row, part.amount_pico);
  }

  absl::Status write_rounding(__int128 pico) {
    FocusRow row = common(query_.month.to_s - kDay, query_.month.to_s, pico);
    set(row, "ChargeCategory", "Adjustment");
    set(row, "ChargeFrequency", "One-Time");
    set(row, "ChargeDescription", "rounding of the invoice's lines to cents");
    return write_row(row, pico);
  }

  const FocusTotals& totals() const { return totals_; }

 private:
  static void set(FocusRow& row, std::string_view column, std::string value) {
    row.cells.at(*focus_place(column)) = std::move(value);
  }

  FocusRow common(std::int64_t from_s, std::int64_t to_s, __int128 pico) const {
    FocusRow row;
    for (const auto* column : {"BilledCost", "EffectiveCost", "ListCost", "ContractedCost",
                               "PricingCurrencyEffectiveCost"}) {
      set(row, column, format_money(pico));
    }
    for (const auto* column : {"ProviderName", "PublisherName", "InvoiceIssuerName"})
      set(row, column, csv_text(query_.issuer));
    set(row, "BillingAccountId", query_.organization);
    set(row, "BillingAccountName", csv_text(organization_name_));
    set(row, "BillingAccountType", "Organization");
    set(row, "BillingCurrency", kCurrency);
    set(row, "PricingCurrency", kCurrency);
    set(row, "BillingPeriodStart", format_time(query_.month.from_s));
    set(row, "BillingPeriodEnd", format_time(query_.month.to_s));
    set(row, "ChargePeriodStart", format_time(from_s));
    set(row, "ChargePeriodEnd", format_time(to_s));
    set(row, "ServiceCategory", "AI and Machine Learning");
    set(row, "ServiceSubcategory", "Generative AI");
    set(row, "ServiceName", "Plinth");
    return row;
  }

  void name_account(FocusRow& row, const std::string& project) const {
    const auto name = projects_.find(project);
    set(row, "SubAccountId", csv_text(project));
    // A project without a name is one that the ledger alone knows.
    set(row, "SubAccountName",
        csv_text(name == projects_.end() || name->second.empty() ? project : name->second));
    set(row, "SubAccountType", "Project");
  }

  static void name_resource(FocusRow& row, const Charge& charge) {
    const bool deployed = !charge.deployment.empty();
    const auto& name = deployed ? charge.deployment : charge.model;
    set(row, "ResourceId", csv_text(name));
    set(row, "ResourceName", csv_text(name));
    set(row, "ResourceType", deployed ? "Deployment" : "Model");
  }

  static void price(FocusRow& row, const Charge& charge, const RatedPart& part) {
    const auto per_million = format_money(__int128{part.price_pico} * kMillion);
    for (const auto* column :
         {"ListUnitPrice", "ContractedUnitPrice", "PricingCurrencyListUnitPrice",
          "PricingCurrencyContractedUnitPrice"}) {
      set(row, column, per_million);
    }
    const std::string meter(part.meter);
    set(row, "ChargeCategory", "Usage");
    set(row, "ChargeFrequency", "Usage-Based");
    set(row, "ChargeDescription", fmt::format("{} tokens of {}", meter, charge.model));
    set(row, "PricingCategory", "Standard");
    // Pico-units of a token are micro-units of a million: so many millions, exactly.
    set(row, "PricingQuantity", format_money(__int128{part.tokens} * kMillion));
    set(row, "PricingUnit", "1000000 Tokens");
    set(row, "ConsumedQuantity", fmt::format("{}", part.tokens));
    set(row, "ConsumedUnit", "Tokens");
    const auto sku = fmt::format("{}:{}", charge.model, meter);
    set(row, "SkuId", csv_text(sku));
    set(row, "SkuMeter",
        meter == kInput         ? "Input Tokens"
        : meter == kCachedInput ? "Cached Input Tokens"
                                : "Output Tokens");
    set(row, "SkuPriceId", csv_text(fmt::format("{}:{}", sku, charge.service_class)));
    set(row, "SkuPriceDetails",
        base::to_json({{"Model", charge.model}, {"ServiceClass", charge.service_class}}));
  }

  // Bought and used up in the same hours, so that what it costs is what it effectively costs.
  static void commit(FocusRow& row, const Charge& charge, const RatedPart& part) {
    const auto hours = part.unit_seconds / kHour;
    // Broken hours are rounded: their price is of all of them together.
    const bool whole = hours > 0 && part.unit_seconds % kHour == 0 &&
                       __int128{hours} * part.price_pico == part.amount_pico;
    const auto quantity = whole ? hours : 1;
    const auto price = format_money(whole ? part.price_pico : part.amount_pico);
    for (const auto* column :
         {"ListUnitPrice", "ContractedUnitPrice", "PricingCurrencyListUnitPrice",
          "PricingCurrencyContractedUnitPrice"}) {
      set(row, column, price);
    }
    set(row, "ChargeCategory", "Purchase");
    set(row, "ChargeFrequency", "Recurring");
    set(row, "ChargeDescription",
        whole ? fmt::format("hours of provisioned units of {}", charge.model)
              : fmt::format("{} seconds of provisioned units of {}", part.unit_seconds,
                            charge.model));
    set(row, "PricingCategory", "Standard");
    set(row, "PricingQuantity", fmt::format("{}", quantity));
    set(row, "PricingUnit", whole ? "Unit Hours" : "Broken Unit Hours");
    set(row, "CommitmentDiscountId", csv_text(charge.deployment));
    set(row, "CommitmentDiscountName", csv_text(charge.deployment));
    set(row, "CommitmentDiscountType", "Provisioned Throughput");
    set(row, "CommitmentDiscountCategory", "Usage");
    if (whole) {
      set(row, "CommitmentDiscountQuantity", fmt::format("{}", quantity));
      set(row, "CommitmentDiscountUnit", "Unit Hours");
    }
    const auto sku = fmt::format("{}:{}", charge.model, part.meter);
    set(row, "SkuId", csv_text(sku));
    set(row, "SkuMeter", "Provisioned Throughput");
    set(row, "SkuPriceId", csv_text(fmt::format("{}:{}", sku, charge.service_class)));
    set(row, "SkuPriceDetails",
        base::to_json({{"Model", charge.model}, {"ServiceClass", charge.service_class}}));
  }

  absl::Status write_row(const FocusRow& row, __int128 pico) {
    std::string broken;
    check_focus_row(row, [&](std::string_view column, const std::string& what) {
      if (broken.empty()) broken = fmt::format("{} {}", column, what);
    });
    if (!broken.empty()) return base::internal("[focus] a row of ours breaks a rule: " + broken);
    totals_.rows += 1;
    totals_.billed_pico += pico;
    return write_(csv_row({row.cells.begin(), row.cells.end()}));
  }

  const FocusQuery& query_;
  const std::string organization_name_;
  const std::map<std::string, std::string> projects_;
  const std::function<absl::Status(std::string_view)>& write_;
  FocusTotals totals_;
};

}  // namespace

absl::StatusOr<FocusTotals> export_focus(
    store::Database& database, const FocusQuery& query,
    const std::function<absl::Status(std::string_view)>& write) {
  using D = store::UsageDimension;
  ASSIGN_OR_RETURN(const auto organization,
                   store::TenantStore(database).organization(query.organization));
  ASSIGN_OR_RETURN(auto names, project_names(database, query.organization));
  ASSIGN_OR_RETURN(const auto prices, store::LimitStore(database).prices());
  ASSIGN_OR_RETURN(
      const auto sums,
      store::ledger_sums(database, {query.organization,
                                    query.month.from_s,
                                    query.month.to_s,
                                    kDay,
                                    {D::project, D::deployment, D::model, D::service_class},
                                    ""}));
  const auto versions = by_version(prices);
  Exporter exporter(query, organization.name, std::move(names), write);
  RETURN_IF_ERROR(exporter.write_header());
  // The lines of the invoice, which are rounded one by one.
  std::map<std::vector<std::string>, __int128> lines;
  for (const auto& sum : sums) {
    const Charge charge{sum.group[0], sum.group[1], sum.group[2], sum.group[3], sum.bucket_start_s};
    for (const auto& part : parts_of(sum, versions)) {
      RETURN_IF_ERROR(exporter.write_part(charge, part));
      lines[{charge.project, charge.model, charge.service_class, std::string(part.meter)}] +=
          part.amount_pico;
    }
  }
  __int128 invoiced_pico = 0;
  for (const auto& [key, pico] : lines) {
    invoiced_pico += __int128{round_to_cents(pico)} * 10'000'000'000;
  }
  const auto rounding = invoiced_pico - exporter.totals().billed_pico;
  if (rounding != 0) RETURN_IF_ERROR(exporter.write_rounding(rounding));
  return exporter.totals();
}

}  // namespace plinth::governance
