// Rows of uploads and of their parts: files that arrive in pieces. A part's body is content of the
// same id, which takes the part's row along when it goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"

namespace plinth::store {

inline constexpr char kUploadPending[] = "pending";
inline constexpr char kUploadCompleted[] = "completed";
inline constexpr char kUploadCancelled[] = "cancelled";

struct UploadRow {
  std::string id, organization, project, purpose, filename, mime_type;
  std::int64_t bytes = 0;  // of the file that it is to become
  std::int64_t created_s = 0, expires_s = 0;
  std::optional<std::int64_t> file_expires_after_s = {};
  std::string status = kUploadPending;  // of one that ended by its time, too
  std::optional<std::string> file = {};
  bool operator==(const UploadRow&) const = default;
};

struct UploadPartRow {
  std::string id, upload;
  std::int64_t bytes = 0, created_s = 0;
  bool operator==(const UploadPartRow&) const = default;
};

// What an upload may have; the project's room is asked elsewhere.
struct UploadLimits {
  std::int64_t parts_max = 0, bytes_max = 0;  // of all parts
};

// Thread-safe as its Database is. NotFound: "No such Upload object: ID", also where it is another
// project's.
class UploadRows {
 public:
  explicit UploadRows(Database& database) : database_(database) {}

  // ResourceExhausted where `pending_max` of the project are not over at `now_s`. Forgets those of
  // the project that ended before `forget_s`.
  absl::Status insert(const UploadRow& row, std::int64_t pending_max, std::int64_t forget_s);
  absl::StatusOr<UploadRow> find(const std::string& project, const std::string& id);
  // In no order.
  absl::StatusOr<std::vector<UploadPartRow>> parts(const std::string& upload);
  // FailedPrecondition where the upload is not pending any more; ResourceExhausted past a limit.
  absl::Status insert_part(const UploadPartRow& row, const UploadLimits& limits);
  // FailedPrecondition where it is not pending any more.
  absl::Status end(const std::string& id, const std::string& status,
                   const std::optional<std::string>& file);

 private:
  Database& database_;
};

}  // namespace plinth::store
