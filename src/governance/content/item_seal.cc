#include "governance/content/item_seal.h"

#include <optional>

#include "absl/strings/escaping.h"
#include "base/json.h"
#include "governance/vault/sealed_box.h"

namespace plinth::governance {

namespace {

constexpr char kField[] = "sealed";

// Nothing where the body lies plain.
std::optional<std::string> box_of(const std::string& body) {
  const auto parsed = base::parse_json(body);
  const auto* object = parsed.ok() ? parsed->if_object() : nullptr;
  const auto* text = object == nullptr ? nullptr : object->if_contains(kField);
  if (text == nullptr || !text->is_string()) return std::nullopt;
  std::string box;
  // What is no base64 is no box either.
  if (!absl::Base64Unescape(base::to_absl(std::string_view(text->get_string())), &box)) box.clear();
  return box;
}

}  // namespace

absl::StatusOr<SealedFor> ItemSeal::place_of(const std::string& scope, const std::string& name) {
  const auto slash = scope.find('/');
  const auto project = scope.substr(0, slash);
  SealedFor place{"", project, "blocklist_item", scope.substr(slash + 1) + "/" + name};
  {
    std::lock_guard lock(mutex_);
    const auto known = organizations_.find(project);
    if (known != organizations_.end()) place.organization = known->second;
  }
  if (!place.organization.empty()) return place;
  ASSIGN_OR_RETURN(const auto row, tenants_.project(project));
  place.organization = row.organization;
  std::lock_guard lock(mutex_);
  organizations_[project] = row.organization;
  return place;
}

absl::StatusOr<std::string> ItemSeal::seal(const std::string& scope, const std::string& name,
                                           std::string_view plain) {
  ASSIGN_OR_RETURN(const auto place, place_of(scope, name));
  ASSIGN_OR_RETURN(const auto box, vault_.seal(place, plain));
  return base::to_json(
      base::json::object{{kField, absl::Base64Escape(base::to_absl(std::string_view(box)))}});
}

absl::StatusOr<std::string> ItemSeal::unseal(const store::DocumentRow& row) {
  const auto box = box_of(row.body);
  if (!box) return row.body;
  ASSIGN_OR_RETURN(const auto place, place_of(row.scope, row.name));
  return vault_.unseal(place, *box);
}

std::string ItemSeal::key_of(const store::DocumentRow& row) {
  const auto box = box_of(row.body);
  if (!box) return "";
  const auto id = box_key_id(*box);
  return id.ok() ? absl::BytesToHexString(base::to_absl(std::string_view(*id))) : "";
}

}  // namespace plinth::governance
