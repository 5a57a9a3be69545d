// The content policies and blocklists of every project, compiled and ready.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "governance/content/item_seal.h"
#include "governance/content_filter.h"
#include "store/document_store.h"

namespace plinth::governance {

struct NamedBlocklistItem {
  std::string name;
  BlocklistItem item;
  // Its key is not here: what it says is not known, and policies that need it let nothing pass.
  bool is_lost = false;
};

// Thread-safe. Plinth.Default and Plinth.Off (and Azure's names of the first) are there in every
// project and cannot be changed.
class ContentPolicies {
 public:
  // The references outlive it. Items that lie plain, as older versions wrote them, are sealed.
  static absl::StatusOr<std::unique_ptr<ContentPolicies>> open(store::DocumentStore& store,
                                                               Vault& vault,
                                                               store::TenantStore& tenants,
                                                               const base::Clock& clock);

  // NotFound names the policy; Unavailable where it uses a blocklist whose key is not here.
  absl::StatusOr<std::shared_ptr<const ContentFilter>> filter(const std::string& project,
                                                              const std::string& name) const;
  // The built-in ones first, then by name.
  std::vector<ContentPolicy> list(const std::string& project) const;
  // The project's blocklists by name, without their items.
  std::vector<std::string> blocklists(const std::string& project) const;
  absl::StatusOr<std::vector<NamedBlocklistItem>> items(const std::string& project,
                                                        const std::string& blocklist) const;

  // Durable and in force when these return OK; otherwise everything is as it was. InvalidArgument
  // names the field; NotFound where a policy names a blocklist that is not there.
  absl::Status put(const std::string& project, const ContentPolicy& policy);
  absl::Status remove(const std::string& project, const std::string& name);
  absl::Status put_blocklist(const std::string& project, const std::string& blocklist);
  // InvalidArgument where a policy uses it.
  absl::Status remove_blocklist(const std::string& project, const std::string& blocklist);
  absl::Status put_items(const std::string& project, const std::string& blocklist,
                         const std::vector<NamedBlocklistItem>& items);
  absl::Status remove_item(const std::string& project, const std::string& blocklist,
                           const std::string& item);

  // Reads again what other gateways may have changed, and what lies under keys that came or went.
  absl::Status refresh();
  // Seals anew what lies under a key that is retired. OK where nothing does any more. Takes effect
  // here with the next refresh().
  absl::Status leave_key(const std::string& key);

 private:
  using Filters = std::map<std::string, std::shared_ptr<const ContentFilter>>;
  using Items = std::vector<NamedBlocklistItem>;
  // What one project has.
  struct Project {
    std::map<std::string, ContentPolicy> policies;
    std::map<std::string, Items> blocklists;
    Filters filters;             // of its policies
    std::set<std::string> lost;  // those of its policies that use an item which is
  };
  // What the state in memory was read from.
  struct Source {
    std::vector<store::DocumentRow> policies, blocklists, items;
    std::vector<std::string> keys;  // ids of data keys that are here
    bool operator==(const Source&) const = default;
  };

  ContentPolicies(store::DocumentStore& store, Vault& vault, store::TenantStore& tenants,
                  const base::Clock& clock)
      : store_(store), vault_(vault), seal_(vault, tenants), clock_(clock) {}
  absl::StatusOr<Source> read_source();
  // What older versions wrote.
  absl::Status seal_plain();
  absl::StatusOr<std::map<std::string, Project>> read_projects(const Source& source);
  static absl::Status compile(Project& project);
  Project of(const std::string& project) const;
  // Compiles `changed`; where that succeeds, stores by `write` and takes it.
  template <typename Write>
  absl::Status change(const std::string& project, Project changed, const Write& write);
  absl::Status write(const std::string& kind, const std::string& scope, const std::string& name,
                     const std::string& body, std::int64_t most);

  store::DocumentStore& store_;
  Vault& vault_;
  ItemSeal seal_;
  const base::Clock& clock_;
  Filters built_in_;     // constant once open
  std::mutex changing_;  // one change at a time: what is compiled is what is stored
  // What is in force, nothing where it was changed since; protected by changing_.
  std::optional<Source> seen_;
  mutable std::mutex mutex_;
  std::map<std::string, Project> projects_;  // protected by mutex_
};

}  // namespace plinth::governance
