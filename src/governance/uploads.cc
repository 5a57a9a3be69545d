#include "governance/uploads.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "base/log.h"
#include "governance/md5.h"
#include "governance/vault_limits.h"

namespace plinth::governance {

namespace {

using store::UploadPartRow;
using store::UploadRow;

absl::Status not_pending(const UploadRow& row, std::int64_t now_s) {
  return base::failed_precondition(
      fmt::format("The Upload {} is {}.", row.id, upload_status(row, now_s)));
}

// Whether the parts are of the upload, each once, and together what was announced.
absl::Status check_parts(const UploadRow& upload, const std::vector<UploadPartRow>& present,
                         const std::vector<std::string>& wanted) {
  std::map<std::string, std::int64_t> sizes;
  for (const auto& part : present) sizes[part.id] = part.bytes;
  std::set<std::string> seen;
  std::int64_t bytes = 0;
  for (const auto& id : wanted) {
    const auto found = sizes.find(id);
    if (found == sizes.end()) {
      return base::invalid_argument(fmt::format("The Upload {} has no part {}.", upload.id, id));
    }
    if (!seen.insert(id).second)
      return base::invalid_argument(fmt::format("The part {} is named twice.", id));
    bytes += found->second;
  }
  if (bytes == upload.bytes) return absl::OkStatus();
  return base::invalid_argument(fmt::format(
      "The parts have {} bytes, but the Upload was created for {}.", bytes, upload.bytes));
}

bool same_digest(const std::string& one, const std::string& other) {
  return std::equal(
      one.begin(), one.end(), other.begin(), other.end(),
      [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

}  // namespace

std::string upload_status(const UploadRow& row, std::int64_t now_s) {
  return row.status == store::kUploadPending && row.expires_s <= now_s ? "expired" : row.status;
}

absl::StatusOr<UploadRow> Uploads::create(const UploadSpec& spec) {
  RETURN_IF_ERROR(check_filename(spec.file.filename));
  RETURN_IF_ERROR(check_file_body(spec.file.purpose, spec.bytes));
  // Else only the first part would be told.
  if (retention_.effective(spec.organization, spec.project).zero_data) {
    return base::failed_precondition(
        fmt::format("The project {} has zero data retention: nothing is stored.", spec.project));
  }
  UploadRow row;
  ASSIGN_OR_RETURN(row.id, files_.new_id("upload_"));
  row.organization = spec.organization;
  row.project = spec.project;
  row.purpose = spec.file.purpose;
  row.filename = spec.file.filename;
  row.mime_type = spec.mime_type;
  row.bytes = spec.bytes;
  row.created_s = clock_.unix_seconds();
  row.expires_s = row.created_s + kUploadSeconds;
  row.file_expires_after_s = spec.file.expires_after_s;
  RETURN_IF_ERROR(rows_.insert(row, kUploadsPendingMax, row.created_s - kUploadForgottenSeconds));
  return row;
}

absl::StatusOr<UploadRow> Uploads::find_pending(const UploadKey& key) {
  ASSIGN_OR_RETURN(auto row, rows_.find(key.project, key.id));
  const auto now_s = clock_.unix_seconds();
  if (upload_status(row, now_s) != store::kUploadPending) return not_pending(row, now_s);
  return row;
}

absl::StatusOr<BodyWriter> Uploads::begin_part(const UploadKey& key) {
  ASSIGN_OR_RETURN(const auto upload, find_pending(key));
  ASSIGN_OR_RETURN(const auto id, files_.new_id("part_"));
  return files_.begin_body(
      {id, key.organization, key.project, "part", upload.expires_s + kPartGraceSeconds},
      kPartBytesMax);
}

absl::StatusOr<UploadPartRow> Uploads::commit_part(BodyWriter writer, const UploadKey& key) {
  // It may have ended while the part was on its way.
  RETURN_IF_ERROR(find_pending(key).status());
  const UploadPartRow row{writer.content().id(), key.id, writer.bytes(), clock_.unix_seconds()};
  const auto also = [&]() -> absl::Status {
    RETURN_IF_ERROR(rows_.insert_part(row, {kUploadPartsMax, kUploadPartsBytesMax}));
    return files_.check_room(key.organization, key.project);
  };
  RETURN_IF_ERROR(writer.content().commit(also).status());
  return row;
}

absl::Status Uploads::copy(const std::vector<std::string>& part_ids, const std::string& md5,
                           BodyWriter& into) {
  std::optional<Md5> digest;
  if (!md5.empty()) {
    ASSIGN_OR_RETURN(digest, Md5::open());
  }
  for (const auto& id : part_ids) {
    ASSIGN_OR_RETURN(const auto part, content_.open_body(id));
    for (std::uint64_t at = 0; at < part.plain_bytes(); at += kContentCopyBytes) {
      ASSIGN_OR_RETURN(const auto bytes, part.read(at, kContentCopyBytes));
      if (digest) digest->update(bytes);
      RETURN_IF_ERROR(into.content().write(bytes));
    }
  }
  if (!digest) return absl::OkStatus();
  const auto found = digest->hex();
  if (same_digest(found, md5)) return absl::OkStatus();
  return base::invalid_argument(
      fmt::format("The parts have the MD5 {} together, not {}.", found, md5));
}

absl::StatusOr<CompletedUpload> Uploads::complete(const UploadKey& key,
                                                  const std::vector<std::string>& part_ids,
                                                  const std::string& md5) {
  ASSIGN_OR_RETURN(auto upload, rows_.find(key.project, key.id));
  if (upload.status == store::kUploadCompleted && upload.file) {
    ASSIGN_OR_RETURN(auto file, files_.find(key.organization, key.project, *upload.file));
    return CompletedUpload{std::move(upload), std::move(file)};
  }
  ASSIGN_OR_RETURN(upload, find_pending(key));
  ASSIGN_OR_RETURN(const auto present, rows_.parts(key.id));
  RETURN_IF_ERROR(check_parts(upload, present, part_ids));
  ASSIGN_OR_RETURN(auto writer, files_.begin_stored(key.organization, key.project));
  RETURN_IF_ERROR(copy(part_ids, md5, writer));
  const FileSpec spec{upload.purpose, upload.filename, upload.file_expires_after_s};
  const auto id = writer.content().id();
  std::vector<std::string> removed;
  const auto also = [&]() -> absl::Status {
    RETURN_IF_ERROR(rows_.end(key.id, store::kUploadCompleted, id));
    return let_parts_go(key, removed);
  };
  ASSIGN_OR_RETURN(auto file,
                   files_.commit(std::move(writer), key.organization, key.project, spec, also));
  drop(removed);
  upload.status = store::kUploadCompleted;
  upload.file = id;
  return CompletedUpload{std::move(upload), std::move(file)};
}

absl::StatusOr<UploadRow> Uploads::cancel(const UploadKey& key) {
  ASSIGN_OR_RETURN(auto upload, find_pending(key));
  std::vector<std::string> removed;
  const auto act = [&](store::Sql&) -> absl::Status {
    RETURN_IF_ERROR(rows_.end(key.id, store::kUploadCancelled, std::nullopt));
    return let_parts_go(key, removed);
  };
  RETURN_IF_ERROR(database_.transaction("cancel an upload", act));
  drop(removed);
  upload.status = store::kUploadCancelled;
  return upload;
}

// Under a legal hold they are only due.
absl::Status Uploads::let_parts_go(const UploadKey& key, std::vector<std::string>& removed) {
  removed.clear();
  const bool held = retention_.effective(key.organization, key.project).legal_hold;
  ASSIGN_OR_RETURN(const auto parts, rows_.parts(key.id));
  for (const auto& part : parts) {
    if (held) {
      RETURN_IF_ERROR(content_.set_expiry(part.id, clock_.unix_seconds()));
      continue;
    }
    RETURN_IF_ERROR(content_.remove_row(part.id));
    removed.push_back(part.id);
  }
  return absl::OkStatus();
}

void Uploads::drop(const std::vector<std::string>& bodies) {
  for (const auto& id : bodies) {
    // What stays the keeper finds.
    if (const auto status = content_.drop_body(id); !status.ok())
      LOG(warn, "the body of {} goes later: {}", id, status.ToString());
  }
}

}  // namespace plinth::governance
