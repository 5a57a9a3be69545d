// Small JSON documents by kind, scope and name: what an administrator declares and a program reads
// whole (deployments, content policies, blocklists, versions of models).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "store/database.h"

namespace plinth::store {

struct DocumentRow {
  std::string kind;   // "deployment", "content_policy"
  std::string scope;  // whose it is: a project's id, or "" for everybody's
  std::string name;   // unique of its kind in its scope
  std::string body;   // JSON
  std::int64_t created_s = 0, updated_s = 0;
  bool operator==(const DocumentRow&) const = default;
};

// Thread-safe as its Database is.
class DocumentStore {
 public:
  explicit DocumentStore(Database& database) : database_(database) {}

  // Writes or overwrites; created_s stays that of the first time. Returns what is stored.
  // ResourceExhausted where the scope would have more than `most` of the kind.
  absl::StatusOr<DocumentRow> put(const DocumentRow& row, std::int64_t most);
  // What is stored then: `row`, or what was there already.
  absl::StatusOr<DocumentRow> put_if_absent(const DocumentRow& row);
  // Other bodies for documents that still are as the first of each pair says, in one transaction.
  // Once forget_pages() follows, the bytes of before are gone.
  absl::Status overwrite(const std::vector<std::pair<DocumentRow, std::string>>& bodies);
  // Not inside a transaction; as Database::compact().
  absl::Status forget_pages();
  // The same with what must hold or follows: `then` runs in the same transaction, while nobody else
  // puts anything, and where it fails nothing is written.
  absl::StatusOr<DocumentRow> put(const DocumentRow& row, std::int64_t most,
                                  absl::FunctionRef<absl::Status()> then);
  // NotFound where there is none; what names things for people is the caller's.
  absl::Status remove(const std::string& kind, const std::string& scope, const std::string& name);
  // Every document of the kind, by scope and name.
  absl::StatusOr<std::vector<DocumentRow>> all(const std::string& kind);

 private:
  Database& database_;
};

}  // namespace plinth::store
