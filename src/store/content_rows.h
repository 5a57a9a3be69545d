// Rows of sealed content: what a body is, whose, and until when. The bodies are files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/paging.h"

namespace plinth::store {

struct ContentRow {
  std::string id, organization, project;
  std::string kind;        // "file", "part", "adapter", "job_key"
  std::int64_t bytes = 0;  // of the body
  std::string sha256;      // of the sealed file, so that it can be checked without a key
  std::string key;         // id of the data key that it is sealed under
  std::int64_t created_s = 0;
  std::optional<std::int64_t> expires_s = {};
  bool operator==(const ContentRow&) const = default;
};

struct ContentFilter {
  std::string organization, project;  // "" = any
  std::string kind;                   // "" = any
};

// Thread-safe as its Database is. NotFound names what does not exist.
class ContentRows {
 public:
  explicit ContentRows(Database& database) : database_(database) {}

  // AlreadyExists where the id is taken; FailedPrecondition where the data key was destroyed
  // meanwhile. `also` runs in the same transaction, after it, and may run again: either both are
  // there or neither.
  using Also = std::function<absl::Status()>;
  absl::Status insert(const ContentRow& row, const Also& also = nullptr);
  absl::StatusOr<ContentRow> find(const std::string& id);
  absl::StatusOr<Page<ContentRow>> list(const ContentFilter& filter, const PageRequest& page);
  absl::Status set_expiry(const std::string& id, const std::optional<std::int64_t>& expires_s);
  // With what else is known of it: rows of files and of parts of uploads.
  absl::Status remove(const std::string& id);
  // Of all bodies of a project.
  absl::StatusOr<std::int64_t> bytes_of(const std::string& organization,
                                        const std::string& project);

  // Up to `most` after the id `after` ("" = from the start) of those sealed under `key`; "" = any.
  absl::StatusOr<std::vector<ContentRow>> batch(const std::string& key, const std::string& after,
                                                std::int64_t most);
  // The same body under another key. NotFound where it was deleted meanwhile.
  absl::Status set_sealed(const std::string& id, const std::string& key, const std::string& sha256);
  absl::StatusOr<std::int64_t> count_of_key(const std::string& key);

 private:
  Database& database_;
};

}  // namespace plinth::store
