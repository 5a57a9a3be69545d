#include "governance/content_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "absl/strings/escaping.h"
#include "base/file.h"
#include "governance/sign_in/keyed_hash.h"
#include "governance/vault/content_keeper.h"
#include "governance/vault_limits.h"

namespace plinth::governance {

namespace {

SealedFor place_of(const store::ContentRow& row) {
  return {row.organization, row.project, row.kind, row.id};
}

}  // namespace

absl::Status check_content_id(const std::string& id) {
  const bool good = !id.empty() && id.size() <= kContentIdBytesMax &&
                    std::all_of(id.begin(), id.end(), [](unsigned char c) {
                      return std::isalnum(c) != 0 || c == '-' || c == '_';
                    });
  return good ? absl::OkStatus()
              : base::invalid_argument("[content] an id has letters, digits, \"-\" and \"_\"");
}

// 256 folders: some file systems are slow with a million names in one.
std::string content_path(const std::string& folder, const std::string& id) {
  const auto digest = sha256(id);
  return fmt::format("{}/{}/{}", folder,
                     absl::BytesToHexString(base::to_absl(std::string_view(digest).substr(0, 1))),
                     id);
}

namespace {

// A file is sealed anew once in a rotation of keys.
constexpr int kOpenTries = 3;

// Whether a transaction that failed so cannot be there all the same.
bool left_nothing(const absl::Status& status) {
  return absl::IsAlreadyExists(status) || absl::IsFailedPrecondition(status) ||
         absl::IsResourceExhausted(status) || absl::IsInvalidArgument(status) ||
         absl::IsNotFound(status);
}

}  // namespace

absl::StatusOr<store::ContentRow> ContentWriter::commit(const store::ContentRows::Also& also) {
  RETURN_IF_ERROR(file_.finish());
  row_.bytes = static_cast<std::int64_t>(file_.plain_bytes());
  row_.sha256 = file_.sha256();
  const auto status = rows_.insert(row_, also);
  if (status.ok()) return row_;
  // Else the row may be there: a file that has none goes later.
  if (left_nothing(status)) ::unlink(path_.c_str());
  return status;
}

ContentStore::ContentStore(std::string folder, store::Database& database, Vault& vault,
                           RetentionPolicies& retention, const base::Clock& clock)
    : folder_(std::move(folder)),
      rows_(database),
      vault_(vault),
      retention_(retention),
      clock_(clock) {}

ContentStore::~ContentStore() = default;

absl::StatusOr<std::unique_ptr<ContentStore>> ContentStore::open(const std::string& folder,
                                                                 store::Database& database,
                                                                 Vault& vault,
                                                                 RetentionPolicies& retention,
                                                                 const base::Clock& clock) {
  RETURN_IF_ERROR(base::make_folders(folder, 0700));
  return std::unique_ptr<ContentStore>(new ContentStore(folder, database, vault, retention, clock));
}

void ContentStore::start() { keeper_ = std::make_unique<Keeper>(*this); }

std::string ContentStore::path_of(const std::string& id) const { return content_path(folder_, id); }

absl::StatusOr<ContentWriter> ContentStore::begin(const ContentSpec& spec) {
  RETURN_IF_ERROR(check_content_id(spec.id));
  if (retention_.effective(spec.organization, spec.project).zero_data) {
    return base::failed_precondition(
        fmt::format("The project {} has zero data retention: nothing is stored.", spec.project));
  }
  const auto present = rows_.find(spec.id);
  if (present.ok()) return absl::AlreadyExistsError("[content] there is a " + spec.id + " already");
  if (!absl::IsNotFound(present.status())) return present.status();
  ASSIGN_OR_RETURN(const auto key, vault_.key_for(spec.organization, spec.project));
  store::ContentRow row{spec.id, spec.organization,     spec.project,  spec.kind, 0, "",
                        key.id,  clock_.unix_seconds(), spec.expires_s};
  auto path = path_of(spec.id);
  RETURN_IF_ERROR(base::make_folders(path.substr(0, path.rfind('/')), 0700));
  ASSIGN_OR_RETURN(auto file,
                   SealedFileWriter::open(path, key, place_of(row), system_random_bytes));
  return ContentWriter(std::move(file), std::move(path), std::move(row), rows_);
}

absl::StatusOr<store::ContentRow> ContentStore::put(const ContentSpec& spec,
                                                    std::string_view body) {
  ASSIGN_OR_RETURN(auto writer, begin(spec));
  RETURN_IF_ERROR(writer.write(body));
  return writer.commit();
}

absl::StatusOr<SealedFileReader> ContentStore::open_body(const std::string& id) {
  for (int i = 0; i < kOpenTries; ++i) {
    ASSIGN_OR_RETURN(const auto body, hand_out(id));
    auto reader = SealedFileReader::open(body.path, body.key);
    if (!absl::IsAborted(reader.status())) return reader;
  }
  return base::unavailable("[content] " + id + " is being sealed anew; retry");
}

absl::StatusOr<OpenBody> ContentStore::hand_out(const std::string& id) {
  ASSIGN_OR_RETURN(const auto row, rows_.find(id));
  // The file says under which key it is: it may be sealed anew at this moment.
  auto path = path_of(id);
  ASSIGN_OR_RETURN(auto key,
                   file_key(
                       path, [this](const std::string& data_key) { return vault_.key(data_key); },
                       place_of(row)));
  return OpenBody{std::move(path), std::move(key)};
}

bool ContentStore::still_opens(const OpenBody& body) {
  const auto key_id = sealed_file_key(body.path, body.key.head);
  return key_id.ok() && vault_.key(*key_id).ok();
}

// The row first: a row without its file would be content that cannot be read.
absl::Status ContentStore::erase(const std::string& id) {
  RETURN_IF_ERROR(rows_.remove(id));
  if (::unlink(path_of(id).c_str()) != 0 && errno != ENOENT)
    return base::errno_status(errno, path_of(id));
  return absl::OkStatus();
}

absl::Status ContentStore::remove(const std::string& id) {
  RETURN_IF_ERROR(remove_row(id));
  return drop_body(id);
}

absl::Status ContentStore::remove_row(const std::string& id) {
  ASSIGN_OR_RETURN(const auto row, rows_.find(id));
  if (retention_.effective(row.organization, row.project).legal_hold) {
    return base::failed_precondition(
        fmt::format("{} is under legal hold: it cannot be deleted.", id));
  }
  return rows_.remove(id);
}

absl::Status ContentStore::drop_body(const std::string& id) {
  const auto row = rows_.find(id).status();
  if (!absl::IsNotFound(row)) return row;
  if (::unlink(path_of(id).c_str()) != 0 && errno != ENOENT)
    return base::errno_status(errno, path_of(id));
  return absl::OkStatus();
}

bool ContentStore::is_due(const store::ContentRow& row) const {
  // Nobody can read it any more.
  if (vault_.is_shredded(row.key)) return true;
  const auto retention = retention_.effective(row.organization, row.project);
  if (retention.legal_hold) return false;
  const auto now_s = clock_.unix_seconds();
  if (retention.zero_data || (row.expires_s && *row.expires_s <= now_s)) return true;
  if (row.kind == kAdapterContent || row.kind == kJobKeyContent) return false;
  return retention.days && row.created_s + *retention.days * 86'400 <= now_s;
}

}  // namespace plinth::governance
