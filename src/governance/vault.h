// Keys of everything that is sealed: a data key for each project under one for each organization,
// under the master key (docs/decisions/0016). Destroying a key is destroying what it sealed.
// key_for() gives a SealedFileWriter its key, and what a sealed file names key() gives its reader.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "governance/master_key.h"
#include "governance/random_bytes.h"
#include "governance/sealed_file.h"
#include "governance/sealed_for.h"
#include "store/data_key_store.h"

namespace plinth::governance {

struct VaultOptions {
  // Folder of shredded.jsonl, the tombstones' second place; "" = audit-checkpoints in the home.
  std::string copy_to = {};
  RandomBytes random = system_random_bytes;
};

// Thread-safe. What another process changes is known after refresh().
class Vault {
 public:
  // `home` holds secrets/master_key, which is made on first use. Destroys keys again whose
  // tombstones say so: those that a restored backup brought back. The references outlive it.
  // FailedPrecondition where data keys are wrapped by a master key that is not here.
  static absl::StatusOr<std::unique_ptr<Vault>> open(const std::string& home,
                                                     store::Database& database,
                                                     const base::Clock& clock,
                                                     const VaultOptions& options = {});
  ~Vault();

  // What new content of a project ("" = of the organization itself) is sealed under; made where
  // there is none. FailedPrecondition where the project or its organization was shredded.
  absl::StatusOr<DataKey> key_for(const std::string& organization, const std::string& project);
  // By the id that sealed content names. FailedPrecondition where it was destroyed.
  absl::StatusOr<DataKey> key(const std::string& id);
  // Small things, under key_for(place); the box names its key.
  absl::StatusOr<std::string> seal(const SealedFor& place, std::string_view plain);
  absl::StatusOr<std::string> unseal(const SealedFor& place, std::string_view box);

  // Destroys every key of a project, or with project "" of a whole organization, and leaves
  // tombstones. Best inside the transaction of the act; settle() follows once that is durable.
  // Returns the ids, which may be none.
  absl::StatusOr<std::vector<std::string>> shred(const std::string& organization,
                                                 const std::string& project);
  // Copies tombstones to their second place and has the database forget the bytes of keys that are
  // gone. OK where nothing waits; what fails is tried again by the next call. Not inside a
  // transaction.
  absl::Status settle();
  // Ids of keys that open() destroyed again.
  const std::vector<std::string>& shredded_again() const;
  bool is_shredded(const std::string& key_id) const;

  // A new master key; rewrap() is a part of it.
  absl::Status renew_master();
  // Wraps by the current master key, and under the current keys of organizations, what another one
  // wrapped. Returns how many there were. What a crash leaves undone the next call does.
  absl::StatusOr<std::size_t> rewrap();
  // New keys for an organization and, with project "", for all of its projects, else for that one
  // alone. What is sealed stays readable under the old ones.
  absl::Status renew_keys(const std::string& organization, const std::string& project);
  // Destroys a retired key; whoever calls knows that nothing is sealed under it. FailedPrecondition
  // where it is not retired, or wraps another key.
  absl::Status destroy_retired(const std::string& id);
  // Destroys former generations of the master key that wrap nothing any more. Returns their ids.
  absl::StatusOr<std::vector<std::string>> forget_masters();

  // As they are stored, oldest first.
  std::vector<store::DataKeyRow> keys() const;
  const MasterKey& master() const;
  // Reads again what other processes may have changed.
  absl::Status refresh();

 private:
  struct Impl;
  explicit Vault(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

// The key store as a file of its own, which backups keep apart from the data: every data key, as
// wrapped as it is stored. FailedPrecondition where there is such a file.
absl::Status export_data_keys(store::Database& database, const std::string& file);
// Tombstones of `file`, a shredded.jsonl that was kept apart, into that of `folder`, which the next
// Vault::open() obeys. Returns how many were not there. NotFound where there is no such file;
// InvalidArgument where it has none.
absl::StatusOr<std::size_t> import_tombstones(const std::string& file, const std::string& folder);

// Keys that are not there yet. Returns how many. Tombstones are the next Vault::open()'s.
absl::StatusOr<std::size_t> import_data_keys(store::Database& database, const std::string& file);

}  // namespace plinth::governance
