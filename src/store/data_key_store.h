// Rows of data keys, wrapped; and of those that were destroyed for good. Backups of the database
// leave the keys out and keep the tombstones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"

namespace plinth::store {

struct DataKeyRow {
  std::string id;                     // 32 hex digits
  std::string organization, project;  // project "" = the organization's own key
  std::string wrapped;                // hex
  std::string wrapped_by;             // id of the master key, or of the organization's key
  std::int64_t created_s = 0;
  std::optional<std::int64_t> retired_s = {};  // nothing new is sealed under it since then
  bool operator==(const DataKeyRow&) const = default;
};

struct ShreddedKeyRow {
  std::string id, organization, project;
  // What only the key could make, so that nobody else has keys destroyed. Hex.
  std::string proof;
  std::int64_t shredded_s = 0;
  bool operator==(const ShreddedKeyRow&) const = default;
};

// Thread-safe as its Database is.
class DataKeyStore {
 public:
  explicit DataKeyStore(Database& database) : database_(database) {}

  absl::Status insert(const DataKeyRow& row);
  // Oldest first.
  absl::StatusOr<std::vector<DataKeyRow>> all();
  // Another wrapping of the same key. NotFound where the key was destroyed meanwhile.
  absl::Status rewrap(const std::string& id, const std::string& wrapped,
                      const std::string& wrapped_by);
  absl::Status retire(const std::string& id, std::int64_t time_s);
  // Overwrites the row's bytes before it goes; forget_pages() does the rest once the transaction is
  // durable. OK where there is no such key.
  absl::Status destroy(const std::string& id);
  // SQLite: the log that may hold the bytes goes into the file and is cut to nothing. PostgreSQL:
  // the table is written anew without dead rows. Not inside a transaction.
  absl::Status forget_pages();

  // OK where it is there already.
  absl::Status insert_shredded(const ShreddedKeyRow& row);
  absl::StatusOr<std::vector<ShreddedKeyRow>> shredded();

 private:
  Database& database_;
};

}  // namespace plinth::store
