// Files that arrive in parts, as OpenAI's uploads: create(), then parts in any order, then
// complete() with their order. Parts lie sealed as content of their own; complete() seals the file
// anew from them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "governance/files.h"
#include "store/upload_rows.h"

namespace plinth::governance {

// Which upload, of whom.
struct UploadKey {
  std::string organization, project, id;
};

struct UploadSpec {
  std::string organization, project;
  FileSpec file;
  std::string mime_type;
  std::int64_t bytes = 0;
};

struct CompletedUpload {
  store::UploadRow upload;
  store::FileRow file;
};

// "pending", "completed", "cancelled", or "expired" of one whose time is over.
std::string upload_status(const store::UploadRow& row, std::int64_t now_s);

// Thread-safe. NotFound where the project has no such upload; FailedPrecondition where it is not
// pending any more.
class Uploads {
 public:
  // The references outlive it.
  Uploads(store::Database& database, Files& files, ContentStore& content,
          RetentionPolicies& retention, const base::Clock& clock)
      : database_(database),
        rows_(database),
        files_(files),
        content_(content),
        retention_(retention),
        clock_(clock) {}

  // InvalidArgument for what a file may not be, ResourceExhausted past kUploadsPendingMax.
  absl::StatusOr<store::UploadRow> create(const UploadSpec& spec);
  absl::StatusOr<BodyWriter> begin_part(const UploadKey& key);
  absl::StatusOr<store::UploadPartRow> commit_part(BodyWriter writer, const UploadKey& key);
  // Takes as long as writing the file does. InvalidArgument names what does not fit: a part that is
  // none of it or comes twice, the sum of bytes, the digest. `md5`: hexadecimal, "" = not looked
  // at. Once it is completed, the same answer again.
  absl::StatusOr<CompletedUpload> complete(const UploadKey& key,
                                           const std::vector<std::string>& part_ids,
                                           const std::string& md5);
  absl::StatusOr<store::UploadRow> cancel(const UploadKey& key);

 private:
  absl::StatusOr<store::UploadRow> find_pending(const UploadKey& key);
  absl::Status copy(const std::vector<std::string>& part_ids, const std::string& md5,
                    BodyWriter& into);
  // Inside a transaction.
  absl::Status let_parts_go(const UploadKey& key, std::vector<std::string>& removed);
  void drop(const std::vector<std::string>& bodies);

  store::Database& database_;
  store::UploadRows rows_;
  Files& files_;
  ContentStore& content_;
  RetentionPolicies& retention_;
  const base::Clock& clock_;
};

}  // namespace plinth::governance
