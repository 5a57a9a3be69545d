#include "governance/content_policies.h"

#include <fmt/format.h>

#include "base/log.h"
#include "governance/content_limits.h"
#include "governance/deployment.h"

namespace plinth::governance {

namespace {

constexpr char kPolicy[] = "content_policy";
constexpr char kBlocklist[] = "blocklist";
constexpr char kItem[] = "blocklist_item";

// Project ids hold no slash.
std::string scope_of(const std::string& project, const std::string& blocklist) {
  return project + "/" + blocklist;
}

absl::Status no_policy(const std::string& name) {
  return base::not_found("No such content policy: " + name);
}
absl::Status no_blocklist(const std::string& name) {
  return base::not_found("No such blocklist: " + name);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ContentPolicies>> ContentPolicies::open(store::DocumentStore& store,
                                                                       Vault& vault,
                                                                       store::TenantStore& tenants,
                                                                       const base::Clock& clock) {
  std::unique_ptr<ContentPolicies> made(new ContentPolicies(store, vault, tenants, clock));
  for (const auto& policy : {default_content_policy(), off_content_policy()}) {
    ASSIGN_OR_RETURN(made->built_in_[policy.name], ContentFilter::compile(policy));
  }
  for (const char* alias : {"Microsoft.Default", "Microsoft.DefaultV2"})
    made->built_in_[alias] = made->built_in_["Plinth.Default"];
  RETURN_IF_ERROR(made->seal_plain());
  RETURN_IF_ERROR(made->refresh());
  return made;
}

absl::Status ContentPolicies::compile(Project& project) {
  std::vector<Blocklist> lists;
  std::set<std::string> lost;
  for (const auto& [name, items] : project.blocklists) {
    auto& list = lists.emplace_back(Blocklist{name, {}});
    for (const auto& item : items) {
      if (item.is_lost) {
        lost.insert(name);
      } else {
        list.items.push_back(item.item);
      }
    }
  }
  project.filters.clear();
  project.lost.clear();
  for (const auto& [name, policy] : project.policies) {
    auto filter = ContentFilter::compile(policy, lists);
    if (!filter.ok()) return base::annotate(filter.status(), "[content policy] " + name);
    project.filters[name] = *std::move(filter);
    for (const auto& use : policy.blocklists) {
      if (lost.contains(use.name)) project.lost.insert(name);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ContentPolicies::Source> ContentPolicies::read_source() {
  Source source;
  ASSIGN_OR_RETURN(source.policies, store_.all(kPolicy));
  ASSIGN_OR_RETURN(source.blocklists, store_.all(kBlocklist));
  ASSIGN_OR_RETURN(source.items, store_.all(kItem));
  for (const auto& key : vault_.keys()) source.keys.push_back(key.id);
  return source;
}

absl::Status ContentPolicies::seal_plain() {
  ASSIGN_OR_RETURN(const auto items, store_.all(kItem));
  std::vector<std::pair<store::DocumentRow, std::string>> changed;
  for (const auto& row : items) {
    // What is neither is found when it is read.
    const auto body = base::parse_json(row.body);
    if (!ItemSeal::key_of(row).empty() || !body.ok() || !parse_blocklist_item(*body).ok()) continue;
    ASSIGN_OR_RETURN(auto sealed, seal_.seal(row.scope, row.name, row.body));
    changed.emplace_back(row, std::move(sealed));
  }
  if (changed.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(store_.overwrite(changed));
  LOG(info, "{} items of blocklists were sealed", changed.size());
  if (const auto status = store_.forget_pages(); !status.ok())
    LOG(warn, "their bytes of before go with the database's own cleaning: {}", status.ToString());
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, ContentPolicies::Project>> ContentPolicies::read_projects(
    const Source& source) {
  std::map<std::string, Project> read;
  for (const auto& row : source.blocklists) read[row.scope].blocklists[row.name];
  for (const auto& row : source.items) {
    NamedBlocklistItem item{row.name, {}};
    const auto plain = seal_.unseal(row);
    if (plain.ok()) {
      ASSIGN_OR_RETURN(const auto body, base::parse_json(*plain));
      ASSIGN_OR_RETURN(item.item, parse_blocklist_item(body));
    } else if (absl::IsFailedPrecondition(plain.status()) || absl::IsDataLoss(plain.status())) {
      LOG(warn, "the item {} of blocklist {} cannot be read: {}", row.name, row.scope,
          plain.status().ToString());
      item.is_lost = true;
    } else {
      return plain.status();
    }
    const auto slash = row.scope.find('/');
    read[row.scope.substr(0, slash)].blocklists[row.scope.substr(slash + 1)].push_back(
        std::move(item));
  }
  for (const auto& row : source.policies) {
    ASSIGN_OR_RETURN(const auto body, base::parse_json(row.body));
    ASSIGN_OR_RETURN(auto policy, parse_content_policy(body));
    policy.name = row.name;
    read[row.scope].policies[row.name] = std::move(policy);
  }
  for (auto& entry : read) RETURN_IF_ERROR(compile(entry.second));
  return read;
}

absl::Status ContentPolicies::refresh() {
  std::lock_guard changing(changing_);
  ASSIGN_OR_RETURN(auto source, read_source());
  // Compiling takes time, and mostly nothing has changed.
  if (source == seen_) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto read, read_projects(source));
  seen_ = std::move(source);
  std::lock_guard lock(mutex_);
  projects_ = std::move(read);
  return absl::OkStatus();
}

// Holds no mutex while it waits for a transaction: one that is open may wait for the mutex.
absl::Status ContentPolicies::leave_key(const std::string& key) {
  ASSIGN_OR_RETURN(const auto items, store_.all(kItem));
  std::vector<std::pair<store::DocumentRow, std::string>> changed;
  for (const auto& row : items) {
    if (ItemSeal::key_of(row) != key) continue;
    ASSIGN_OR_RETURN(const auto plain, seal_.unseal(row));
    ASSIGN_OR_RETURN(auto sealed, seal_.seal(row.scope, row.name, plain));
    changed.emplace_back(row, std::move(sealed));
  }
  return changed.empty() ? absl::OkStatus() : store_.overwrite(changed);
}

absl::StatusOr<std::shared_ptr<const ContentFilter>> ContentPolicies::filter(
    const std::string& project, const std::string& name) const {
  const auto built_in = built_in_.find(name);
  if (built_in != built_in_.end()) return built_in->second;
  std::lock_guard lock(mutex_);
  const auto found = projects_.find(project);
  if (found == projects_.end()) return no_policy(name);
  const auto filter = found->second.filters.find(name);
  if (filter == found->second.filters.end()) return no_policy(name);
  if (found->second.lost.contains(name)) {
    return base::unavailable("The content policy " + name +
                             " uses a blocklist that cannot be read: its key is not here.");
  }
  return filter->second;
}

ContentPolicies::Project ContentPolicies::of(const std::string& project) const {
  std::lock_guard lock(mutex_);
  const auto found = projects_.find(project);
  return found != projects_.end() ? found->second : Project();
}

std::vector<ContentPolicy> ContentPolicies::list(const std::string& project) const {
  std::vector<ContentPolicy> out{default_content_policy(), off_content_policy()};
  const auto own = of(project);
  for (const auto& entry : own.policies) out.push_back(entry.second);
  return out;
}

std::vector<std::string> ContentPolicies::blocklists(const std::string& project) const {
  std::vector<std::string> out;
  const auto own = of(project);
  for (const auto& entry : own.blocklists) out.push_back(entry.first);
  return out;
}

absl::StatusOr<std::vector<NamedBlocklistItem>> ContentPolicies::items(
    const std::string& project, const std::string& blocklist) const {
  const auto own = of(project);
  const auto found = own.blocklists.find(blocklist);
  if (found == own.blocklists.end()) return no_blocklist(blocklist);
  return found->second;
}

template <typename Write>
absl::Status ContentPolicies::change(const std::string& project, Project changed,
                                     const Write& write) {
  RETURN_IF_ERROR(compile(changed));
  RETURN_IF_ERROR(write());
  // The transaction that this is a part of may still come to nothing.
  seen_.reset();
  std::lock_guard lock(mutex_);
  projects_[project] = std::move(changed);
  return absl::OkStatus();
}

absl::Status ContentPolicies::write(const std::string& kind, const std::string& scope,
                                    const std::string& name, const std::string& body,
                                    std::int64_t most) {
  const auto now_s = clock_.unix_seconds();
  return store_.put({kind, scope, name, body, now_s, now_s}, most).status();
}

absl::Status ContentPolicies::put(const std::string& project, const ContentPolicy& policy) {
  RETURN_IF_ERROR(check_deployment_name(policy.name));
  if (built_in_.contains(policy.name)) {
    return base::invalid_argument(
        fmt::format("[content policy] {} is built in: take another name", policy.name));
  }
  std::lock_guard changing(changing_);
  auto changed = of(project);
  changed.policies[policy.name] = policy;
  return change(project, std::move(changed), [&] {
    return write(kPolicy, project, policy.name, base::to_json(content_policy_json(policy)),
                 kPoliciesMax);
  });
}

absl::Status ContentPolicies::remove(const std::string& project, const std::string& name) {
  std::lock_guard changing(changing_);
  auto changed = of(project);
  if (changed.policies.erase(name) == 0) return no_policy(name);
  return change(project, std::move(changed), [&] { return store_.remove(kPolicy, project, name); });
}

absl::Status ContentPolicies::put_blocklist(const std::string& project,
                                            const std::string& blocklist) {
  RETURN_IF_ERROR(check_deployment_name(blocklist));
  std::lock_guard changing(changing_);
  auto changed = of(project);
  changed.blocklists[blocklist];
  return change(project, std::move(changed), [&] {
    return write(kBlocklist, project, blocklist, "{}", static_cast<std::int64_t>(kBlocklistsMax));
  });
}

absl::Status ContentPolicies::remove_blocklist(const std::string& project,
                                               const std::string& blocklist) {
  std::lock_guard changing(changing_);
  auto changed = of(project);
  for (const auto& [name, policy] : changed.policies) {
    for (const auto& use : policy.blocklists) {
      if (use.name != blocklist) continue;
      return base::invalid_argument(
          fmt::format("[blocklist] {} is what content policy {} uses", blocklist, name));
    }
  }
  const auto found = changed.blocklists.find(blocklist);
  if (found == changed.blocklists.end()) return no_blocklist(blocklist);
  const auto items = std::move(found->second);
  changed.blocklists.erase(found);
  return change(project, std::move(changed), [&]() -> absl::Status {
    // The items first: a blocklist that is there again after a failure is shorter, never unknown.
    for (const auto& item : items)
      RETURN_IF_ERROR(store_.remove(kItem, scope_of(project, blocklist), item.name));
    return store_.remove(kBlocklist, project, blocklist);
  });
}

absl::Status ContentPolicies::put_items(const std::string& project, const std::string& blocklist,
                                        const std::vector<NamedBlocklistItem>& items) {
  for (const auto& item : items) {
    RETURN_IF_ERROR(check_deployment_name(item.name));
    RETURN_IF_ERROR(check_blocklist_item(item.item));
  }
  std::lock_guard changing(changing_);
  auto changed = of(project);
  const auto found = changed.blocklists.find(blocklist);
  if (found == changed.blocklists.end()) return no_blocklist(blocklist);
  std::map<std::string, NamedBlocklistItem> by_name;
  for (const auto& item : found->second) by_name.emplace(item.name, item);
  for (const auto& item : items) by_name.insert_or_assign(item.name, item);
  found->second.clear();
  for (const auto& entry : by_name) found->second.push_back(entry.second);
  return change(project, std::move(changed), [&]() -> absl::Status {
    const auto scope = scope_of(project, blocklist);
    // A key that was made in a transaction which came to nothing is none.
    RETURN_IF_ERROR(vault_.refresh());
    for (const auto& item : items) {
      ASSIGN_OR_RETURN(const auto body,
                       seal_.seal(scope, item.name, base::to_json(blocklist_item_json(item.item))));
      RETURN_IF_ERROR(
          write(kItem, scope, item.name, body, static_cast<std::int64_t>(kBlocklistItemsMax)));
    }
    return absl::OkStatus();
  });
}

absl::Status ContentPolicies::remove_item(const std::string& project, const std::string& blocklist,
                                          const std::string& item) {
  std::lock_guard changing(changing_);
  auto changed = of(project);
  const auto found = changed.blocklists.find(blocklist);
  if (found == changed.blocklists.end()) return no_blocklist(blocklist);
  if (std::erase_if(found->second, [&](const auto& other) { return other.name == item; }) == 0)
    return base::not_found("No such item of blocklist " + blocklist + ": " + item);
  return change(project, std::move(changed),
                [&] { return store_.remove(kItem, scope_of(project, blocklist), item); });
}

}  // namespace plinth::governance
