#include "governance/vault/tombstones.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "absl/strings/escaping.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "governance/vault.h"
#include "governance/vault/aead.h"
#include "governance/vault_limits.h"

namespace plinth::governance {

namespace {

std::string path_in(const std::string& folder) { return folder + "/shredded.jsonl"; }

std::vector<store::ShreddedKeyRow> rows_of(std::string_view text, const std::string& path) {
  std::vector<store::ShreddedKeyRow> rows;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.empty()) continue;
    auto row = parse_tombstone(line);
    if (row.ok()) {
      rows.push_back(*std::move(row));
    } else {
      LOG(warn, "{} has a line that is none: {}", path, row.status().ToString());
    }
  }
  return rows;
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

std::string shredding_proof(const KeyBytes& key) {
  return absl::BytesToHexString(base::to_absl(derive_key(key, "", "plinth shredding 1").view()));
}

std::string tombstone_line(const store::ShreddedKeyRow& row) {
  return base::to_json(base::json::object{{"key", row.id},
                                          {"organization", row.organization},
                                          {"project", row.project},
                                          {"proof", row.proof},
                                          {"shredded_at", row.shredded_s}}) +
         "\n";
}

absl::StatusOr<store::ShreddedKeyRow> parse_tombstone(std::string_view line) {
  ASSIGN_OR_RETURN(const auto parsed, base::parse_json(line, {2, kKeyLineBytesMax}));
  const auto* object = parsed.if_object();
  const auto bad = [] { return base::invalid_argument("[vault] no tombstone of a key"); };
  if (object == nullptr) return bad();
  store::ShreddedKeyRow row;
  for (const auto& [name, field] :
       {std::pair{"key", &row.id}, std::pair{"organization", &row.organization},
        std::pair{"project", &row.project}, std::pair{"proof", &row.proof}}) {
    const auto* value = object->if_contains(name);
    if (value == nullptr || !value->is_string()) return bad();
    *field = std::string(value->get_string());
  }
  const auto* time = object->if_contains("shredded_at");
  if (time == nullptr || !time->is_int64() || time->get_int64() < 0) return bad();
  row.shredded_s = time->get_int64();
  if (!is_hex(row.id, 32) || !is_hex(row.proof, 64)) return bad();
  if (std::max(row.organization.size(), row.project.size()) > kKeyOwnerBytesMax) return bad();
  return row;
}

absl::StatusOr<std::vector<store::ShreddedKeyRow>> read_tombstones(const std::string& folder) {
  const auto text = base::read_file(path_in(folder), kTombstoneFileBytesMax);
  if (absl::IsNotFound(text.status())) return std::vector<store::ShreddedKeyRow>();
  RETURN_IF_ERROR(text.status());
  return rows_of(*text, path_in(folder));
}

absl::Status append_tombstones(const std::string& folder,
                               const std::vector<store::ShreddedKeyRow>& rows) {
  if (rows.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(base::make_folders(folder, 0700));
  const auto path = path_in(folder);
  const base::UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return base::errno_status(errno, path);
  // A line that a crash cut ends here; empty lines are none.
  std::string text = "\n";
  for (const auto& row : rows) text += tombstone_line(row);
  for (std::string_view rest = text; !rest.empty();) {
    const auto count = ::write(fd.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::errno_status(errno, path);
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd.get()) != 0) return base::errno_status(errno, path);
  return base::sync_folder(folder);
}

absl::StatusOr<std::size_t> append_missing_tombstones(
    const std::string& folder, const std::vector<store::ShreddedKeyRow>& rows) {
  ASSIGN_OR_RETURN(const auto present, read_tombstones(folder));
  std::set<std::string> known;
  for (const auto& row : present) known.insert(row.id);
  std::vector<store::ShreddedKeyRow> missing;
  for (const auto& row : rows) {
    if (known.insert(row.id).second) missing.push_back(row);
  }
  RETURN_IF_ERROR(append_tombstones(folder, missing));
  return missing.size();
}

absl::StatusOr<std::size_t> import_tombstones(const std::string& file, const std::string& folder) {
  ASSIGN_OR_RETURN(const auto text, base::read_file(file, kTombstoneFileBytesMax));
  const auto rows = rows_of(text, file);
  // What a crash left may be among them; a file without one is another file.
  if (rows.empty()) return base::invalid_argument(file + " holds no tombstone of a key");
  return append_missing_tombstones(folder, rows);
}

}  // namespace plinth::governance
