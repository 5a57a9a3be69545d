// Items of blocklists as they are stored: {"sealed": BASE64}, under their project's key. A list of
// what nobody may say can tell a lot of who made it.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "governance/vault.h"
#include "store/document_store.h"
#include "store/tenant_store.h"

namespace plinth::governance {

// Thread-safe as its parts are, which outlive it.
class ItemSeal {
 public:
  ItemSeal(Vault& vault, store::TenantStore& tenants) : vault_(vault), tenants_(tenants) {}

  // What is stored of an item whose JSON is `plain`. `scope`: the document's, PROJECT/BLOCKLIST.
  // FailedPrecondition where the project was shredded; NotFound where there is none.
  absl::StatusOr<std::string> seal(const std::string& scope, const std::string& name,
                                   std::string_view plain);
  // An item's JSON; of one that lies plain, as older versions wrote it, what is there.
  // FailedPrecondition where its key is not here, DataLoss where it was not sealed for its place.
  absl::StatusOr<std::string> unseal(const store::DocumentRow& row);
  // Id of the key that a stored item is sealed under; "" = it lies plain, or is damaged.
  static std::string key_of(const store::DocumentRow& row);

 private:
  absl::StatusOr<SealedFor> place_of(const std::string& scope, const std::string& name);

  Vault& vault_;
  store::TenantStore& tenants_;
  std::mutex mutex_;
  // Of projects, which stay in theirs; protected by mutex_.
  std::map<std::string, std::string> organizations_;
};

}  // namespace plinth::governance
