#include "governance/vault.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "base/log.h"
#include "governance/vault/sealed_box.h"
#include "governance/vault/secret_file.h"
#include "governance/vault/tombstones.h"
#include "governance/vault/vault_impl.h"

namespace plinth::governance {

namespace {

std::string hex(std::string_view bytes) { return absl::BytesToHexString(base::to_absl(bytes)); }
std::string bytes_of(std::string_view hex) { return absl::HexStringToBytes(base::to_absl(hex)); }

SealedFor place_of(const store::DataKeyRow& row) {
  return {row.organization, row.project, kDataKeyKind, row.id};
}

}  // namespace

absl::Status Vault::Impl::read() {
  std::lock_guard only(reading);
  ASSIGN_OR_RETURN(auto found, store.all());
  ASSIGN_OR_RETURN(const auto gone, store.shredded());
  std::lock_guard lock(mutex);
  rows = std::move(found);
  for (const auto& row : gone) {
    shredded.insert(row.id);
    shredded_scopes.emplace(row.organization, row.project);
  }
  std::erase_if(keys, [&](const auto& entry) {
    return std::none_of(rows.begin(), rows.end(),
                        [&](const auto& row) { return row.id == entry.first; });
  });
  return absl::OkStatus();
}

const store::DataKeyRow* Vault::Impl::current(const std::string& organization,
                                              const std::string& project) const {
  // The oldest that is not retired: where two gateways made one at once, both take the same.
  for (const auto& row : rows) {
    if (row.organization == organization && row.project == project && !row.retired_s) return &row;
  }
  return nullptr;
}

std::vector<store::DataKeyRow> Vault::Impl::rows_of(const std::string& organization,
                                                    const std::string& project) const {
  std::lock_guard lock(mutex);
  std::vector<store::DataKeyRow> found;
  for (const auto& row : rows) {
    if (row.organization == organization && (project.empty() || row.project == project))
      found.push_back(row);
  }
  return found;
}

absl::StatusOr<DataKey> Vault::Impl::unwrapped(const std::string& id) {
  if (const auto known = keys.find(id); known != keys.end()) return known->second;
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const auto& one) { return one.id == id; });
  if (row == rows.end())
    return base::failed_precondition("[vault] the key " + id + " was destroyed, or is not here");
  const auto box = bytes_of(row->wrapped);
  absl::StatusOr<std::string> plain;
  if (row->project.empty()) {
    plain = master->unwrap(place_of(*row), box);
  } else {
    ASSIGN_OR_RETURN(const auto above, unwrapped(row->wrapped_by));
    plain = open_box(*above.bytes, place_of(*row), box);
  }
  RETURN_IF_ERROR(plain.status());
  auto bytes = KeyBytes::of(*plain);
  wipe(*plain);
  RETURN_IF_ERROR(bytes.status());
  return keys.emplace(id, DataKey{id, std::make_shared<const KeyBytes>(*bytes)}).first->second;
}

absl::StatusOr<std::pair<std::string, std::string>> Vault::Impl::wrap(const store::DataKeyRow& row,
                                                                      const KeyBytes& key) {
  if (row.project.empty()) {
    ASSIGN_OR_RETURN(const auto box, master->wrap(place_of(row), key.view()));
    ASSIGN_OR_RETURN(auto by, wrapped_by(box));
    return std::pair{hex(box), std::move(by)};
  }
  const auto* above = current(row.organization, "");
  if (above == nullptr) return base::internal("[vault] the organization has no key");
  ASSIGN_OR_RETURN(const auto above_key, unwrapped(above->id));
  ASSIGN_OR_RETURN(const auto box, seal_box(*above_key.bytes, bytes_of(above->id), place_of(row),
                                            key.view(), random));
  return std::pair{hex(box), above->id};
}

absl::StatusOr<store::DataKeyRow> Vault::Impl::make_row(const std::string& organization,
                                                        const std::string& project, DataKey& made) {
  store::DataKeyRow row;
  ASSIGN_OR_RETURN(const auto id, random(kKeyIdBytes));
  row.id = hex(id);
  row.organization = organization;
  row.project = project;
  row.created_s = clock.unix_seconds();
  ASSIGN_OR_RETURN(const auto key, KeyBytes::make(random));
  ASSIGN_OR_RETURN(std::tie(row.wrapped, row.wrapped_by), wrap(row, key));
  made = {row.id, std::make_shared<const KeyBytes>(key)};
  return row;
}

absl::Status Vault::Impl::refuse_shredded(const std::string& organization,
                                          const std::string& project) const {
  if (!shredded_scopes.contains({organization, ""}) &&
      !shredded_scopes.contains({organization, project})) {
    return absl::OkStatus();
  }
  return base::failed_precondition(
      fmt::format("[vault] {} was shredded: nothing is sealed for it any more",
                  project.empty() ? "the organization " + organization : "the project " + project));
}

absl::StatusOr<DataKey> Vault::Impl::make(const std::string& organization,
                                          const std::string& project) {
  std::unique_lock lock(mutex);
  if (!project.empty() && current(organization, "") == nullptr) {
    lock.unlock();
    RETURN_IF_ERROR(make(organization, "").status());
    lock.lock();
  }
  DataKey made;
  ASSIGN_OR_RETURN(const auto row, make_row(organization, project, made));
  lock.unlock();
  RETURN_IF_ERROR(store.insert(row));
  RETURN_IF_ERROR(read());
  lock.lock();
  const auto* chosen = current(organization, project);
  if (chosen == nullptr) return base::failed_precondition("[vault] the new key is gone already");
  return unwrapped(chosen->id);
}

Vault::Vault(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Vault::~Vault() = default;

absl::StatusOr<std::unique_ptr<Vault>> Vault::open(const std::string& home,
                                                   store::Database& database,
                                                   const base::Clock& clock,
                                                   const VaultOptions& options) {
  const auto folder = options.copy_to.empty() ? home + "/audit-checkpoints" : options.copy_to;
  auto impl = std::make_unique<Impl>(home, folder, database, clock, options.random);
  ASSIGN_OR_RETURN(impl->master, open_home_master_key(home, options.random));
  RETURN_IF_ERROR(impl->read());
  const auto here = impl->master->generations();
  for (const auto& row : impl->rows) {
    if (!row.project.empty() || std::count(here.begin(), here.end(), row.wrapped_by) > 0) continue;
    return base::failed_precondition(fmt::format(
        "data keys are wrapped by the master key {}, which is not in {}/secrets ({} is):"
        " put the backup of secrets/ in its place",
        row.wrapped_by, home, impl->master->id()));
  }
  ASSIGN_OR_RETURN(auto tombstones, read_tombstones(folder));
  ASSIGN_OR_RETURN(const auto stored, impl->store.shredded());
  tombstones.insert(tombstones.end(), stored.begin(), stored.end());
  RETURN_IF_ERROR(impl->replay(tombstones));
  impl->unsettled = true;
  std::unique_ptr<Vault> vault(new Vault(std::move(impl)));
  if (const auto status = vault->settle(); !status.ok())
    LOG(warn, "tombstones wait for their second place: {}", status.ToString());
  return vault;
}

absl::StatusOr<DataKey> Vault::key_for(const std::string& organization,
                                       const std::string& project) {
  {
    std::lock_guard lock(impl_->mutex);
    RETURN_IF_ERROR(impl_->refuse_shredded(organization, project));
    if (const auto* row = impl_->current(organization, project); row != nullptr)
      return impl_->unwrapped(row->id);
  }
  return impl_->make(organization, project);
}

absl::StatusOr<DataKey> Vault::key(const std::string& id) {
  {
    std::lock_guard lock(impl_->mutex);
    auto known = impl_->unwrapped(id);
    if (known.ok()) return known;
  }
  // Another gateway may have made it.
  RETURN_IF_ERROR(impl_->read());
  std::lock_guard lock(impl_->mutex);
  return impl_->unwrapped(id);
}

absl::StatusOr<std::string> Vault::seal(const SealedFor& place, std::string_view plain) {
  ASSIGN_OR_RETURN(const auto key, key_for(place.organization, place.project));
  return seal_box(*key.bytes, bytes_of(key.id), place, plain, impl_->random);
}

absl::StatusOr<std::string> Vault::unseal(const SealedFor& place, std::string_view box) {
  ASSIGN_OR_RETURN(const auto id, box_key_id(box));
  ASSIGN_OR_RETURN(const auto key, key(hex(id)));
  return open_box(*key.bytes, place, box);
}

std::vector<store::DataKeyRow> Vault::keys() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->rows;
}

const MasterKey& Vault::master() const { return *impl_->master; }
absl::Status Vault::refresh() { return impl_->read(); }

}  // namespace plinth::governance
