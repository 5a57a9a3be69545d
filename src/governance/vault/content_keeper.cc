#include "governance/vault/content_keeper.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "governance/vault/abandoned.h"
#include "governance/vault_limits.h"

namespace plinth::governance {

namespace {

namespace fs = std::filesystem;

void note(absl::Status& first, const absl::Status& status) {
  if (first.ok()) first = status;
}

}  // namespace

ContentStore::Keeper::Keeper(ContentStore& store) : thread([this, &store] { keep(store); }) {}

ContentStore::Keeper::~Keeper() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  stopped.notify_all();
  thread.join();
}

void ContentStore::Keeper::keep(ContentStore& store) {
  std::unique_lock lock(mutex);
  while (!stopping) {
    lock.unlock();
    ContentSweep done;
    const auto status = store.sweep(done);
    if (!status.ok()) LOG(error, "content that is due may still be there: {}", status.ToString());
    if (done.expired + done.resealed + done.keys_destroyed > 0) {
      LOG(info, "content: {} deleted, {} sealed anew, {} retired keys destroyed", done.expired,
          done.resealed, done.keys_destroyed);
    }
    lock.lock();
    stopped.wait_for(lock, kRetentionInterval, [&] { return stopping; });
  }
}

absl::Status ContentStore::sweep(ContentSweep& done) {
  absl::Status first = vault_.settle();
  note(first, vault_.refresh());
  note(first, remove_due(done));
  note(first, leave_retired_keys(done));
  note(first, remove_orphans(done));
  return first;
}

absl::Status ContentStore::remove_due(ContentSweep& done) {
  absl::Status first;
  std::string after;
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(const auto rows, rows_.batch("", after, kContentBatch));
    for (const auto& row : rows) {
      after = row.id;
      if (!is_due(row)) continue;
      const auto status = erase(row.id);
      // Another gateway was faster.
      if (absl::IsNotFound(status)) continue;
      note(first, status);
      if (status.ok()) ++done.expired;
    }
    more = !rows.empty();
  }
  return first;
}

absl::Status ContentStore::reseal(const store::ContentRow& row) {
  const auto path = path_of(row.id);
  const SealedFor place{row.organization, row.project, row.kind, row.id};
  ASSIGN_OR_RETURN(const auto key, vault_.key_for(row.organization, row.project));
  ASSIGN_OR_RETURN(const auto old_id, sealed_file_key(path));
  ASSIGN_OR_RETURN(const auto old_key, vault_.key(old_id));
  ASSIGN_OR_RETURN(const auto reader, SealedFileReader::open(path, old_key, place));
  ASSIGN_OR_RETURN(auto writer, SealedFileWriter::open(path, key, place, system_random_bytes));
  for (std::uint64_t at = 0; at < reader.plain_bytes(); at += kContentCopyBytes) {
    ASSIGN_OR_RETURN(const auto part, reader.read(at, kContentCopyBytes));
    RETURN_IF_ERROR(writer.write(part));
  }
  RETURN_IF_ERROR(writer.finish(SealedFileWriter::Place::replace));
  const auto status = rows_.set_sealed(row.id, key.id, writer.sha256());
  // It was deleted meanwhile.
  if (absl::IsNotFound(status)) ::unlink(path.c_str());
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status ContentStore::leave_retired_keys(ContentSweep& done) {
  absl::Status first;
  for (const auto& key : vault_.keys()) {
    if (!key.retired_s) continue;
    std::string after;
    bool all = true;
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(const auto rows, rows_.batch(key.id, after, kContentBatch));
      for (const auto& row : rows) {
        after = row.id;
        const auto status = reseal(row);
        all = all && status.ok();
        note(first, status);
        if (status.ok()) ++done.resealed;
      }
      more = !rows.empty();
    }
    if (also_leave_ != nullptr) {
      const auto others = also_leave_(key.id);
      all = all && others.ok();
      note(first, others);
    }
    if (!all || *key.retired_s + kRetiredGraceS > clock_.unix_seconds()) continue;
    ASSIGN_OR_RETURN(const auto left, rows_.count_of_key(key.id));
    if (left > 0) continue;
    const auto status = vault_.destroy_retired(key.id);
    // It wraps others until rewrap().
    if (status.ok()) ++done.keys_destroyed;
    if (!absl::IsFailedPrecondition(status)) note(first, status);
  }
  return first;
}

absl::Status ContentStore::remove_orphans(ContentSweep& done) {
  absl::Status first;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder_, error)) {
    struct stat info {};
    if (!entry.is_regular_file(error) || ::stat(entry.path().c_str(), &info) != 0) continue;
    const auto name = entry.path().filename().string();
    if (name.ends_with(kPartialSuffix)) {
      const auto found = remove_abandoned(entry.path());
      if (found == Abandoned::removed) ++done.orphans;
      if (found != Abandoned::unknown) continue;
    }
    if (info.st_mtime + kOrphanAgeS > clock_.unix_seconds()) continue;
    // A dot is in the name of what is being written; no id has one.
    const auto row = name.find('.') == std::string::npos
                         ? rows_.find(name).status()
                         : absl::NotFoundError("what was being written");
    if (row.ok()) continue;
    if (!absl::IsNotFound(row)) {
      note(first, row);
      continue;
    }
    if (::unlink(entry.path().c_str()) == 0) ++done.orphans;
  }
  return first;
}

}  // namespace plinth::governance
