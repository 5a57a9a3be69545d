// Keys that are destroyed for good, and again where a backup brings them back.
#include <openssl/crypto.h>

#include <algorithm>

#include "base/log.h"
#include "governance/vault/tombstones.h"
#include "governance/vault/vault_impl.h"

namespace plinth::governance {

absl::Status Vault::Impl::replay(const std::vector<store::ShreddedKeyRow>& tombstones) {
  std::vector<store::ShreddedKeyRow> back;
  {
    std::lock_guard lock(mutex);
    for (const auto& tombstone : tombstones) {
      const bool is_here = std::any_of(rows.begin(), rows.end(),
                                       [&](const auto& row) { return row.id == tombstone.id; });
      const auto key = is_here ? unwrapped(tombstone.id) : base::not_found("");
      if (is_here && key.ok()) {
        const auto proof = shredding_proof(*key->bytes);
        if (CRYPTO_memcmp(proof.data(), tombstone.proof.data(),
                          std::min(proof.size(), tombstone.proof.size())) != 0 ||
            proof.size() != tombstone.proof.size()) {
          LOG(warn, "a tombstone of the key {} was not made from it: it is passed over",
              tombstone.id);
          continue;
        }
      } else if (is_here) {
        // Nobody can read under it. It goes all the same once what wraps it is here again.
        LOG(warn, "the key {}, which was shredded, cannot be unwrapped: {}", tombstone.id,
            key.status().ToString());
        continue;
      }
      // Of a key that is not here the note stays: a later import may bring it.
      back.push_back(tombstone);
      if (is_here) again.push_back(tombstone.id);
    }
  }
  RETURN_IF_ERROR(database.transaction("destroy keys again", [&](store::Sql&) -> absl::Status {
    for (const auto& row : back) {
      if (auto status = store.insert_shredded(row); !status.ok()) return status;
    }
    for (const auto& id : again) {
      if (auto status = store.destroy(id); !status.ok()) return status;
    }
    return absl::OkStatus();
  }));
  if (!again.empty()) stale_pages = true;
  std::sort(again.begin(), again.end());
  again.erase(std::unique(again.begin(), again.end()), again.end());
  return read();
}

absl::StatusOr<std::vector<std::string>> Vault::shred(const std::string& organization,
                                                      const std::string& project) {
  RETURN_IF_ERROR(impl_->read());
  const auto rows = impl_->rows_of(organization, project);
  std::vector<store::ShreddedKeyRow> tombstones;
  {
    std::lock_guard lock(impl_->mutex);
    for (const auto& row : rows) {
      ASSIGN_OR_RETURN(const auto key, impl_->unwrapped(row.id));
      tombstones.push_back({row.id, row.organization, row.project, shredding_proof(*key.bytes),
                            impl_->clock.unix_seconds()});
    }
  }
  RETURN_IF_ERROR(impl_->database.transaction("shred", [&](store::Sql&) -> absl::Status {
    for (const auto& row : tombstones) {
      if (auto status = impl_->store.insert_shredded(row); !status.ok()) return status;
      if (auto status = impl_->store.destroy(row.id); !status.ok()) return status;
    }
    return absl::OkStatus();
  }));
  impl_->unsettled = true;
  impl_->stale_pages = true;
  RETURN_IF_ERROR(impl_->read());
  std::vector<std::string> ids;
  for (const auto& row : tombstones) ids.push_back(row.id);
  return ids;
}

absl::Status Vault::settle() {
  absl::Status copied;
  if (impl_->unsettled.exchange(false)) {
    copied = impl_->copy_tombstones();
    if (!copied.ok()) impl_->unsettled = true;
  }
  if (impl_->stale_pages.exchange(false)) {
    if (auto status = impl_->store.forget_pages(); !status.ok()) {
      impl_->stale_pages = true;
      return status;
    }
  }
  return copied;
}

absl::Status Vault::Impl::copy_tombstones() {
  ASSIGN_OR_RETURN(const auto stored, store.shredded());
  return append_missing_tombstones(folder, stored).status();
}

const std::vector<std::string>& Vault::shredded_again() const { return impl_->again; }

bool Vault::is_shredded(const std::string& key_id) const {
  std::lock_guard lock(impl_->mutex);
  return impl_->shredded.contains(key_id);
}

}  // namespace plinth::governance
