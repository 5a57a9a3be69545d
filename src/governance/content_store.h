// Bodies that are kept: files, adapters, checkpoints. Each lies sealed in a file of its own under
// its project's key; the database has its row.
// begin() gives a writer of parts, commit() makes it content; put() does both.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "governance/retention.h"
#include "governance/sealed_file.h"
#include "governance/vault.h"
#include "store/content_rows.h"

namespace plinth::governance {

// Kinds that stay until they are deleted, whatever `days` of retention say: a tuned model's
// weights, which live as long as the model, and the key of a job that is at work.
inline constexpr char kAdapterContent[] = "adapter";
inline constexpr char kJobKeyContent[] = "job_key";

struct ContentSpec {
  std::string id;  // unique in the installation: letters, digits, "-" and "_"
  std::string organization;
  std::string project;  // "" = the organization's own
  std::string kind;     // "file", "part", "adapter", "job_key"
  std::optional<std::int64_t> expires_s = {};
};

// Not thread-safe. Nothing is there before commit(); what is not committed leaves nothing.
class ContentWriter {
 public:
  ContentWriter(ContentWriter&&) = default;
  absl::Status write(std::string_view part) { return file_.write(part); }
  std::uint64_t bytes() const { return file_.plain_bytes(); }
  const std::string& id() const { return row_.id; }
  // Instead of what the spec said.
  void set_expiry(const std::optional<std::int64_t>& expires_s) { row_.expires_s = expires_s; }
  // Durable when this returns OK. AlreadyExists where the id is taken; FailedPrecondition where the
  // project was shredded meanwhile. `also` runs in the transaction of the row: what it refuses
  // leaves nothing.
  absl::StatusOr<store::ContentRow> commit(const store::ContentRows::Also& also = nullptr);

 private:
  friend class ContentStore;
  ContentWriter(SealedFileWriter file, std::string path, store::ContentRow row,
                store::ContentRows& rows)
      : file_(std::move(file)), path_(std::move(path)), row_(std::move(row)), rows_(rows) {}
  SealedFileWriter file_;
  std::string path_;
  store::ContentRow row_;
  store::ContentRows& rows_;
};

// InvalidArgument where it cannot be the id of content.
absl::Status check_content_id(const std::string& id);
// Where a body lies in the folder of a ContentStore.
std::string content_path(const std::string& folder, const std::string& id);

// A body for a process that has no vault.
struct OpenBody {
  std::string path;
  FileKey key;
};

// What a pass of the keeper did.
struct ContentSweep {
  std::size_t expired = 0;   // past due, of zero-data projects, or shredded
  std::size_t resealed = 0;  // under a new key
  std::size_t keys_destroyed = 0;
  std::size_t orphans = 0;  // files without a row
};

// Thread-safe.
class ContentStore {
 public:
  // Makes `folder`. Gateways that share a database share it, too. The references outlive it.
  static absl::StatusOr<std::unique_ptr<ContentStore>> open(const std::string& folder,
                                                            store::Database& database, Vault& vault,
                                                            RetentionPolicies& retention,
                                                            const base::Clock& clock);
  ~ContentStore();

  // FailedPrecondition where the project keeps no data, or was shredded; AlreadyExists where the id
  // is taken.
  absl::StatusOr<ContentWriter> begin(const ContentSpec& spec);
  absl::StatusOr<store::ContentRow> put(const ContentSpec& spec, std::string_view body);
  // NotFound where there is none, DataLoss where it is damaged, FailedPrecondition where its key
  // was destroyed.
  absl::StatusOr<SealedFileReader> open_body(const std::string& id);
  // Where it lies, and what opens it until it is sealed anew. Errors as of open_body(), but for
  // damage: whoever reads it finds that.
  absl::StatusOr<OpenBody> hand_out(const std::string& id);
  // Whether that is still so: not sealed anew, deleted or shredded meanwhile. Asks no database
  // where it is.
  bool still_opens(const OpenBody& body);
  absl::StatusOr<store::ContentRow> find(const std::string& id) { return rows_.find(id); }
  absl::StatusOr<store::Page<store::ContentRow>> list(const store::ContentFilter& filter,
                                                      const store::PageRequest& page) {
    return rows_.list(filter, page);
  }
  // Nothing = until it is deleted.
  absl::Status set_expiry(const std::string& id, const std::optional<std::int64_t>& expires_s) {
    return rows_.set_expiry(id, expires_s);
  }
  // FailedPrecondition where a legal hold is on it.
  absl::Status remove(const std::string& id);
  // The same in two steps, where removing it is a part of a transaction: its row, and its body once
  // that is durable. drop_body() leaves what has a row; what it is never called for the keeper
  // finds.
  absl::Status remove_row(const std::string& id);
  absl::Status drop_body(const std::string& id);
  // Of all bodies of a project.
  absl::StatusOr<std::int64_t> bytes_of(const std::string& organization,
                                        const std::string& project) {
    return rows_.bytes_of(organization, project);
  }

  // Deletes what is due, seals anew what lies under retired keys, and destroys those. Goes on where
  // one thing fails, and returns the first error. What a crash cuts off the next pass does.
  absl::Status sweep(ContentSweep& done);
  // Does so from a thread of its own, at once and every kRetentionInterval.
  void start();
  // What else is sealed: seals anew what lies under the key of that id, which is retired. The key
  // stays where this fails. Before start().
  using LeaveKey = std::function<absl::Status(const std::string& key)>;
  void also_leave(LeaveKey leave) { also_leave_ = std::move(leave); }

 private:
  struct Keeper;
  ContentStore(std::string folder, store::Database& database, Vault& vault,
               RetentionPolicies& retention, const base::Clock& clock);
  std::string path_of(const std::string& id) const;
  bool is_due(const store::ContentRow& row) const;
  absl::Status erase(const std::string& id);
  absl::Status remove_due(ContentSweep& done);
  absl::Status reseal(const store::ContentRow& row);
  absl::Status leave_retired_keys(ContentSweep& done);
  absl::Status remove_orphans(ContentSweep& done);

  const std::string folder_;
  store::ContentRows rows_;
  Vault& vault_;
  RetentionPolicies& retention_;
  const base::Clock& clock_;
  LeaveKey also_leave_;             // constant once started
  std::unique_ptr<Keeper> keeper_;  // last: it uses the fields above
};

}  // namespace plinth::governance
