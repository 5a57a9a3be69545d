// Rows of spend alerts, and of when each was passed: once in a month for each threshold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"

namespace plinth::store {

struct AlertRow {
  std::string id;
  std::string organization = "default";
  std::string project;  // "" = of the whole organization
  std::int64_t threshold_pico = 0;
  std::string recipients;  // a JSON array of addresses
  std::optional<std::string> subject_prefix;
  std::int64_t created_s = 0;
  bool operator==(const AlertRow&) const = default;
};

// That what was spent in a month reached an alert's threshold.
struct AlertFiring {
  AlertRow alert;
  std::int64_t month_s = 0;  // first second of the month, UTC's
  std::int64_t spent_pico = 0;
  std::int64_t fired_s = 0;
  bool operator==(const AlertFiring&) const = default;
};

// Thread-safe as its Database is. NotFound names what does not exist.
class AlertStore {
 public:
  explicit AlertStore(Database& database) : database_(database) {}

  // ResourceExhausted where the project or organization would have more than `most`.
  absl::Status insert(const AlertRow& row, std::int64_t most);
  absl::StatusOr<AlertRow> find(const std::string& organization, const std::string& project,
                                const std::string& id);
  // From old to new.
  absl::StatusOr<std::vector<AlertRow>> list(const std::string& organization,
                                             const std::string& project);
  // Its threshold and whom it tells. With another threshold it may fire again in the same month.
  absl::Status update(const AlertRow& row);
  absl::Status remove(const AlertRow& row);

  // What was passed in the month that begins at `month_s` and did not fire yet, by the ledger's
  // sums as one moment has them. Alerts that were made after the month are left out.
  absl::StatusOr<std::vector<AlertFiring>> passed(std::int64_t month_s, std::int64_t month_end_s);
  // False where it fired before: on whatever gateway.
  absl::StatusOr<bool> fire(const AlertFiring& firing);
  // One that nobody was told of yet, for this caller alone until now_s + `for_s`.
  absl::StatusOr<std::optional<AlertFiring>> claim(std::int64_t now_s, std::int64_t for_s);
  absl::Status delivered(const AlertFiring& firing, std::int64_t now_s);

 private:
  Database& database_;
};

}  // namespace plinth::store
