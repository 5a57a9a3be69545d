// Rows of files: what people know of a body that lies sealed, whose row of content has the same id
// and takes this one along when it goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "store/database.h"
#include "store/paging.h"

namespace plinth::store {

struct FileRow {
  std::string id, organization, project;
  std::string purpose;   // "batch", "fine-tune", ...
  std::string filename;  // as its owner calls it
  std::int64_t bytes = 0;
  std::int64_t created_s = 0;
  std::optional<std::int64_t> expires_s = {};
  std::string status = "processed";
  bool operator==(const FileRow&) const = default;
};

struct FileFilter {
  std::string project;
  std::string purpose;                  // "" = any
  std::optional<std::int64_t> alive_s;  // without those that expire until then; nothing = all
};

// Thread-safe as its Database is. NotFound: "No such File object: ID", also where it is another
// project's.
class FileRows {
 public:
  explicit FileRows(Database& database) : database_(database) {}

  absl::Status insert(const FileRow& row);
  absl::StatusOr<FileRow> find(const std::string& project, const std::string& id);
  absl::StatusOr<Page<FileRow>> list(const FileFilter& filter, const PageRequest& page);

 private:
  Database& database_;
};

absl::Status no_such_file(const std::string& id);

}  // namespace plinth::store
