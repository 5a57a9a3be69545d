#include "governance/vault/key_export.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "governance/vault.h"
#include "governance/vault_limits.h"

namespace plinth::governance {

namespace {

bool is_hex(std::string_view text) {
  return text.size() % 2 == 0 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

constexpr std::size_t kIdDigits = 32;

}  // namespace

std::string key_line(const store::DataKeyRow& row) {
  base::json::object line{
      {"key", row.id},          {"organization", row.organization}, {"project", row.project},
      {"wrapped", row.wrapped}, {"wrapped_by", row.wrapped_by},     {"created_at", row.created_s}};
  if (row.retired_s) line["retired_at"] = *row.retired_s;
  return base::to_json(line) + "\n";
}

absl::StatusOr<store::DataKeyRow> parse_key_line(std::string_view line) {
  ASSIGN_OR_RETURN(const auto parsed, base::parse_json(line, {2, kKeyLineBytesMax}));
  const auto* object = parsed.if_object();
  const auto bad = [] { return base::invalid_argument("[vault] no line of a key store"); };
  if (object == nullptr) return bad();
  store::DataKeyRow row;
  for (const auto& [name, field] :
       {std::pair{"key", &row.id}, std::pair{"organization", &row.organization},
        std::pair{"project", &row.project}, std::pair{"wrapped", &row.wrapped},
        std::pair{"wrapped_by", &row.wrapped_by}}) {
    const auto* value = object->if_contains(name);
    if (value == nullptr || !value->is_string()) return bad();
    *field = std::string(value->get_string());
  }
  const auto time = [&](const char* name) -> std::optional<std::int64_t> {
    const auto* value = object->if_contains(name);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return std::nullopt;
    return value->get_int64();
  };
  const auto created = time("created_at");
  if (!created) return bad();
  row.created_s = *created;
  row.retired_s = time("retired_at");
  if (row.id.size() != kIdDigits || row.wrapped_by.size() != kIdDigits || !is_hex(row.id) ||
      !is_hex(row.wrapped_by) || row.wrapped.empty() || row.wrapped.size() > kWrappedKeyHexMax ||
      !is_hex(row.wrapped)) {
    return bad();
  }
  if (std::max(row.organization.size(), row.project.size()) > kKeyOwnerBytesMax) return bad();
  return row;
}

absl::Status export_data_keys(store::Database& database, const std::string& file) {
  struct stat info {};
  if (::lstat(file.c_str(), &info) == 0)
    return base::failed_precondition(file + " is there already: nothing is overwritten");
  ASSIGN_OR_RETURN(const auto rows, store::DataKeyStore(database).all());
  std::string text;
  for (const auto& row : rows) text += key_line(row);
  return base::write_file_atomic(file, text, 0600);
}

absl::StatusOr<std::size_t> import_data_keys(store::Database& database, const std::string& file) {
  ASSIGN_OR_RETURN(const auto text, base::read_file(file, kKeyExportBytesMax));
  std::vector<store::DataKeyRow> found;
  int number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    ++number;
    auto row = parse_key_line(line);
    if (!row.ok()) return base::annotate(row.status(), fmt::format("{}:{}", file, number));
    found.push_back(*std::move(row));
  }
  store::DataKeyStore keys(database);
  std::size_t added = 0;
  RETURN_IF_ERROR(database.transaction("import data keys", [&](store::Sql&) -> absl::Status {
    added = 0;
    const auto present = keys.all();
    if (!present.ok()) return present.status();
    std::set<std::string> known;
    for (const auto& row : *present) known.insert(row.id);
    for (const auto& row : found) {
      if (!known.insert(row.id).second) continue;
      if (auto status = keys.insert(row); !status.ok()) return status;
      ++added;
    }
    return absl::OkStatus();
  }));
  return added;
}

}  // namespace plinth::governance
