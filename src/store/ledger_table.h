// Where the ledger's rows lie: one table for each month, `ledger` being all of them together. On
// PostgreSQL they are partitions, on SQLite tables under a view.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "store/sql.h"

namespace plinth::store {

// What one request used and costs. Appended once, never changed: corrections are rows of their own.
struct LedgerRow {
  std::string id;  // of the usage event; a second row of the same id and time is not appended
  std::int64_t time_ms = 0;  // since 1970, when it was settled
  std::string organization, project;
  std::string api_key;     // id of the key
  std::string user_id;     // service account or person behind the key, "" = neither
  std::string deployment;  // "" = the model itself was called
  std::string model;
  std::string operation;  // "chat", "text_completion", "embeddings", "commitment"
  std::string service_class = "standard";
  std::string kind = "settle";  // or "adjust", "credit", "commitment"
  std::string status = "ok";    // or "client_gone"
  std::int64_t choices = 1;     // of a commitment: its units times the seconds that they were held
  std::int64_t input_tokens = 0;
  std::int64_t cached_tokens = 0;  // of input_tokens
  std::int64_t output_tokens = 0;
  std::int64_t queue_us = 0, device_us = 0;
  std::int64_t price_version = 0;
  std::int64_t amount_pico = 0;
};

void create_ledger(Sql& sql);
// Appends rows, whose months get their tables where they are the first of one. Returns the rows
// that are new.
std::vector<const LedgerRow*> append_ledger(Sql& sql, std::span<const LedgerRow> rows);

// [first, past the last) millisecond of a month of ledger_month: "2026_11".
std::pair<std::int64_t, std::int64_t> ledger_month_bounds_ms(const std::string& month);

// Makes the table of a month, for whoever fills it in bulk.
void ensure_ledger_month(Sql& sql, std::int64_t time_ms);

// Columns of `ledger` in the order of LedgerRow, and a row of an answer that has them.
std::string ledger_columns();
constexpr std::size_t kLedgerColumns = 20;
LedgerRow to_ledger_row(const SqlRow& row);

}  // namespace plinth::store
