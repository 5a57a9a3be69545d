// What the parts of Vault share.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "governance/vault.h"
#include "governance/vault/key_bytes.h"

namespace plinth::governance {

inline constexpr char kDataKeyKind[] = "data_key";

struct Vault::Impl {
  Impl(std::string home_, std::string folder_, store::Database& database_,
       const base::Clock& clock_, RandomBytes random_)
      : home(std::move(home_)),
        folder(std::move(folder_)),
        database(database_),
        clock(clock_),
        random(std::move(random_)),
        store(database_) {}

  // From the database, all of it.
  absl::Status read();
  // Asks no database: what is not in memory is not there. `mutex` is held.
  absl::StatusOr<DataKey> unwrapped(const std::string& id);
  const store::DataKeyRow* current(const std::string& organization,
                                   const std::string& project) const;
  // A new key's row, with its key in `made`. `mutex` is held.
  absl::StatusOr<store::DataKeyRow> make_row(const std::string& organization,
                                             const std::string& project, DataKey& made);
  // Wrapped by what wraps such keys now: hex, and whose it is.
  absl::StatusOr<std::pair<std::string, std::string>> wrap(const store::DataKeyRow& row,
                                                           const KeyBytes& key);
  absl::StatusOr<DataKey> make(const std::string& organization, const std::string& project);
  absl::Status refuse_shredded(const std::string& organization, const std::string& project) const;
  // Destroys keys of the tombstones that are there all the same.
  absl::Status replay(const std::vector<store::ShreddedKeyRow>& tombstones);
  // To their second place, those that are not there.
  absl::Status copy_tombstones();
  std::vector<store::DataKeyRow> rows_of(const std::string& organization,
                                         const std::string& project) const;

  const std::string home, folder;
  store::Database& database;
  const base::Clock& clock;
  const RandomBytes random;
  std::unique_ptr<MasterKey> master;  // constant after open()
  store::DataKeyStore store;
  std::vector<std::string> again;        // constant after open()
  std::atomic<bool> unsettled{false};    // tombstones wait for settle()
  std::atomic<bool> stale_pages{false};  // bytes of keys that are gone do

  std::mutex reading;        // one read() after the other: an older one never replaces a newer one
  mutable std::mutex mutex;  // never held during a call of the database
  // Protected by mutex, as are all below. Oldest first.
  std::vector<store::DataKeyRow> rows;
  std::map<std::string, DataKey> keys;  // unwrapped, by id
  std::set<std::string> shredded;       // ids
  std::set<std::pair<std::string, std::string>> shredded_scopes;
};

}  // namespace plinth::governance
