#include "apps/admin_backup.h"

#include <fmt/format.h>

#include <memory>

#include "apps/command_line.h"
#include "apps/home.h"
#include "apps/home_backup.h"
#include "apps/home_database.h"
#include "apps/home_lock.h"
#include "apps/terminal.h"
#include "base/clock.h"
#include "base/json.h"
#include "governance/shared_secrets.h"
#include "store/integrity.h"

namespace plinth {

namespace {

struct Arguments {
  std::string folder, secrets, keys, tombstones, database;
  bool mend = false, json = false, no_content = false;
};

void show(const store::BackupManifest& manifest, const std::string& folder) {
  std::uint64_t bytes = 0;
  for (const auto& file : manifest.files) bytes += file.bytes;
  fmt::print(stderr, "{}: {}, {} files, {}\n", folder, manifest.content, manifest.files.size(),
             human_bytes(bytes));
}

absl::Status backup(const std::string& home_flag, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto home, find_home(home_flag));
  const auto now_s = base::RealClock().unix_seconds();
  ASSIGN_OR_RETURN(const auto data,
                   make_backup(home, {arguments.folder, !arguments.no_content, now_s}));
  show(data, arguments.folder);
  if (arguments.secrets.empty()) {
    fmt::print(stderr,
               "Keys are not in it: without secrets/ of this home no API key works after a"
               " restore. Keep --secrets FOLDER elsewhere.\n");
  } else {
    ASSIGN_OR_RETURN(const auto keys, make_secrets_backup(home, arguments.secrets, now_s));
    show(keys, arguments.secrets);
  }
  if (arguments.no_content)
    fmt::print(stderr, "The sealed files are not in it: copy the folder content/ after this.\n");
  if (arguments.keys.empty()) {
    fmt::print(stderr,
               "Data keys are not in it either: without them no sealed file can be read after a"
               " restore. Keep --keys FILE elsewhere.\n");
  } else {
    RETURN_IF_ERROR(make_key_backup(home, arguments.keys));
    fmt::print(stderr, "{}: data keys; they need secrets/ to be of use\n", arguments.keys);
  }
  if (arguments.json) fmt::print("{}", store::to_json(data));
  return absl::OkStatus();
}

// What was shredded since the backup of the keys, and what became of it.
void tell_shredded(const RestoredHome& restored, const Arguments& arguments) {
  if (arguments.keys.empty()) return;
  const auto place = restored.copies_folder + "/shredded.jsonl";
  if (arguments.tombstones.empty()) {
    fmt::print(stderr,
               "WARNING: no --tombstones were given. What was shredded after the backup is readable"
               " again, but for what the database and {} name.\n",
               place);
  } else {
    fmt::print(stderr, "{}: {} tombstones came from {}\n", place, restored.tombstones,
               arguments.tombstones);
  }
  if (restored.is_replayed) {
    fmt::print(stderr, "{} keys that were shredded are destroyed again\n",
               restored.shredded_again.size());
  } else {
    fmt::print(stderr, "The first start destroys again what tombstones name.\n");
  }
}

absl::Status restore(const std::string& home_flag, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto home, find_home(home_flag));
  ASSIGN_OR_RETURN(const auto restored,
                   restore_home(home, {arguments.folder, arguments.secrets, arguments.keys,
                                       arguments.tombstones, arguments.database}));
  const auto& manifest = restored.manifest;
  show(manifest, home);
  if (restored.has_content) {
    fmt::print(stderr, "{} sealed files are in their place\n", restored.content_files);
  } else {
    fmt::print(stderr, "The backup is without sealed files: put the copy of content/ there.\n");
  }
  tell_shredded(restored, arguments);
  if (arguments.secrets.empty()) {
    fmt::print(stderr,
               "Put the old secrets/ into {} before the first start. Without them: `plinth admin"
               " adopt-secrets`, then `plinth admin recover` for a new key.\n",
               home);
  }
  if (restored.tuned_models > 0) {
    fmt::print(stderr, "{} tuned models are in their place; each needs the base it was made over\n",
               restored.tuned_models);
  }
  for (const auto& model : manifest.models)
    fmt::print(stderr, "plinth model pull {}    # it was installed\n", model.name);
  if (!arguments.database.empty())
    fmt::print(stderr, "Start the service with the database that you gave: store.database.\n");
  return absl::OkStatus();
}

absl::Status verify(const std::string& home_flag, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto opened, open_home_database(home_flag));
  if (!store::names_postgresql(opened.where)) RETURN_IF_ERROR(store::check_database(opened.where));
  auto status = store::check_all_sums(*opened.database);
  if (absl::IsDataLoss(status) && arguments.mend) {
    fmt::print(stderr, "{}\n", base::message(status));
    RETURN_IF_ERROR(store::rebuild_all_sums(*opened.database));
    fmt::print(stderr, "the sums were made from the rows again\n");
    status = store::check_all_sums(*opened.database);
  }
  RETURN_IF_ERROR(status);
  fmt::print("the database is whole; every sum is that of the ledger's rows\n");
  return absl::OkStatus();
}

absl::Status adopt(const std::string& home_flag, const Arguments&) {
  ASSIGN_OR_RETURN(const auto opened, open_home_database(home_flag));
  ASSIGN_OR_RETURN(const auto lock, lock_home(opened.home));
  RETURN_IF_ERROR(governance::adopt_secrets(opened.home, *opened.database, base::RealClock()));
  fmt::print(stderr, "the database takes the secrets of {}; others are refused at their start\n",
             opened.home);
  return absl::OkStatus();
}

using Action = absl::Status (*)(const std::string&, const Arguments&);

Command* add(Command& admin, const char* name, const char* doc, Action run,
             const std::shared_ptr<Arguments>& arguments, const std::string& home, int& exit_code) {
  auto* command = admin.add_subcommand(name, doc);
  command->callback([arguments, run, &home, &exit_code] {
    const auto status = run(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
  return command;
}

}  // namespace

void add_admin_backup(Command& admin, const std::string& home, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared by the callbacks that are kept
  auto* made =
      add(admin, "backup", "Copy database, settings and sealed files, while the service runs",
          backup, arguments, home, exit_code);
  made->add_option("folder", arguments->folder, "A folder that is not there yet")->required();
  made->add_option("--secrets", arguments->secrets, "Copy the keys, too, into another folder");
  made->add_option("--keys", arguments->keys, "Write the wrapped data keys, too, into this file");
  made->add_flag("--no-content", arguments->no_content,
                 "Leave the sealed files out: content/ is copied some other way");
  made->add_flag("--json", arguments->json, "Print the manifest");
  auto* back =
      add(admin, "restore", "Make an empty home of a backup", restore, arguments, home, exit_code);
  back->add_option("folder", arguments->folder, "The backup's folder")->required();
  back->add_option("--secrets", arguments->secrets, "The folder of its keys");
  back->add_option("--keys", arguments->keys, "The file of its data keys");
  back->add_option("--tombstones", arguments->tombstones,
                   "shredded.jsonl of the old home or of audit.copy_to: what was shredded after the"
                   " backup stays so");
  back->add_option("--database", arguments->database,
                   "An empty database to restore into (default: as the settings say)");
  add(admin, "adopt-secrets",
      "Take secrets/ of this home for the database's, where the old ones are lost", adopt,
      arguments, home, exit_code);
  add(admin, "verify", "Whether the database is whole and its sums are the ledger's", verify,
      arguments, home, exit_code)
      ->add_flag("--mend", arguments->mend, "Make sums that differ from the rows again");
}

}  // namespace plinth
