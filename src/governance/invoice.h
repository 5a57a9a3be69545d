// What an organization, or one of its projects, owes for a month: from the ledger's rows
// themselves, each line rounded once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "governance/period.h"
#include "store/database.h"

namespace plinth::governance {

// To whole cents, half of one to the even neighbour: over many lines neither side gains.
std::int64_t round_to_cents(__int128 pico);
std::string format_cents(std::int64_t cents);  // "12.30"

struct InvoiceQuery {
  std::string organization;
  Period period;
  std::string project;  // "" = all
};

struct InvoiceLine {
  std::string project, project_name;
  std::string model, service_class;
  // "input", "cached_input", "output", "commitment", "other", "adjustment", "credit"
  std::string meter;
  std::int64_t tokens = 0;
  std::int64_t unit_seconds = 0;  // of a commitment: units times the seconds that they were held
  __int128 exact_pico = 0;
  std::int64_t cents = 0;
};

struct Invoice {
  InvoiceQuery query;
  std::vector<InvoiceLine> lines;  // by project, model, class, meter
  std::int64_t total_cents = 0;    // of the rounded lines
  __int128 exact_pico = 0;         // of the rows
  std::int64_t rows = 0;           // of the ledger
};

absl::StatusOr<Invoice> make_invoice(store::Database& database, const InvoiceQuery& query);

base::json::object to_json(const Invoice& invoice);
std::string to_csv(const Invoice& invoice);

}  // namespace plinth::governance
