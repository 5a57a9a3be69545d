// Files of projects, as OpenAI's API has them: a name and a purpose over a sealed body. begin()
// gives a writer of parts, commit() makes it a file.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "governance/content_store.h"
#include "governance/file_limits.h"
#include "governance/random_bytes.h"
#include "store/file_rows.h"

namespace plinth::governance {

// All that files can have, and those that somebody may upload: the others the service writes.
std::span<const std::string_view> file_purposes();
std::span<const std::string_view> upload_purposes();

struct FileSpec {
  std::string purpose, filename;
  std::optional<std::int64_t> expires_after_s = {};  // nothing = what the purpose says
};
// InvalidArgument where the name is empty, too long or no text; where an empty body has a purpose
// that needs lines.
absl::Status check_filename(std::string_view filename);
absl::Status check_file_body(std::string_view purpose, std::int64_t bytes);

// A body on its way into a project, bounded in what it may have. Not thread-safe.
class BodyWriter {
 public:
  // InvalidArgument past `bytes_max`; ResourceExhausted past what the project may still store.
  absl::Status write(std::string_view part);
  std::int64_t bytes() const { return static_cast<std::int64_t>(content_.bytes()); }
  ContentWriter& content() { return content_; }

 private:
  friend class Files;
  BodyWriter(ContentWriter content, std::int64_t bytes_max, std::int64_t room_bytes)
      : content_(std::move(content)), bytes_max_(bytes_max), room_bytes_(room_bytes) {}
  ContentWriter content_;
  std::int64_t bytes_max_, room_bytes_;
};

// Thread-safe.
class Files {
 public:
  // The references outlive it. `project_bytes_max`: of all bodies of a project.
  Files(store::Database& database, ContentStore& content, RetentionPolicies& retention,
        const base::Clock& clock, RandomBytes random, std::int64_t project_bytes_max)
      : rows_(database),
        content_(content),
        retention_(retention),
        clock_(clock),
        random_(std::move(random)),
        project_bytes_max_(project_bytes_max) {}

  // FailedPrecondition where the project keeps no data, or was shredded; ResourceExhausted where it
  // is full.
  absl::StatusOr<BodyWriter> begin(const std::string& organization, const std::string& project);
  // For what is stored already in another form, which `also` of commit() removes: only that asks
  // whether there is room.
  absl::StatusOr<BodyWriter> begin_stored(const std::string& organization,
                                          const std::string& project);
  // Durable when this returns OK. InvalidArgument for what FileSpec may not be. `also` runs in the
  // same transaction.
  absl::StatusOr<store::FileRow> commit(BodyWriter writer, const std::string& organization,
                                        const std::string& project, const FileSpec& spec,
                                        const store::ContentRows::Also& also = nullptr);

  // Of what is there and not past due, unless a legal hold keeps it.
  absl::StatusOr<store::FileRow> find(const std::string& organization, const std::string& project,
                                      const std::string& id);
  absl::StatusOr<store::Page<store::FileRow>> list(const std::string& organization,
                                                   const std::string& project,
                                                   const std::string& purpose,
                                                   const store::PageRequest& page);
  absl::StatusOr<SealedFileReader> open_body(const store::FileRow& row) {
    return content_.open_body(row.id);
  }
  // Its rows, as a part of a transaction; the body goes with drop_body() once that is durable.
  // FailedPrecondition where a legal hold is on it.
  absl::Status remove(const std::string& organization, const std::string& project,
                      const std::string& id);
  absl::Status drop_body(const std::string& id) { return content_.drop_body(id); }

  // For bodies that are no files yet: a writer of content of that kind and id, and whether the
  // project has room, which inside the transaction of a row counts it, too.
  absl::StatusOr<BodyWriter> begin_body(const ContentSpec& spec, std::int64_t bytes_max);
  absl::Status check_room(const std::string& organization, const std::string& project);
  absl::StatusOr<std::string> new_id(std::string_view prefix) const;

 private:
  std::optional<std::int64_t> alive_s(const std::string& organization,
                                      const std::string& project) const;
  absl::Status full() const;

  store::FileRows rows_;
  ContentStore& content_;
  RetentionPolicies& retention_;
  const base::Clock& clock_;
  const RandomBytes random_;
  const std::int64_t project_bytes_max_;
};

}  // namespace plinth::governance
