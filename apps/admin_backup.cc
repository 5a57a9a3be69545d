#include "apps/admin_backup.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "apps/home.h"
#include "apps/home_backup.h"
#include "apps/home_database.h"
#include "apps/terminal.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/integrity.h"

namespace plinth {

namespace {

struct Arguments {
  std::string folder, secrets, keys, database;
  bool mend = false, json = false;
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
  ASSIGN_OR_RETURN(const auto data, make_backup(home, arguments.folder, now_s));
  show(data, arguments.folder);
  if (arguments.secrets.empty()) {
    fmt::print(stderr,
               "Keys are not in it: without secrets/ of this home no API key works after a"
               " restore. Keep --secrets FOLDER elsewhere.\n");
  } else {
    ASSIGN_OR_RETURN(const auto keys, make_secrets_backup(home, arguments.secrets, now_s));
    show(keys, arguments.secrets);
  }
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

absl::Status restore(const std::string& home_flag, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto home, find_home(home_flag));
  ASSIGN_OR_RETURN(const auto manifest, restore_home(home, {arguments.folder, arguments.secrets,
                                                            arguments.keys, arguments.database}));
  show(manifest, home);
  if (arguments.secrets.empty()) {
    fmt::print(stderr, "Put the old secrets/ into {} before the first start, or make new keys.\n",
               home);
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

using Action = absl::Status (*)(const std::string&, const Arguments&);

CLI::App* add(CLI::App& admin, const char* name, const char* doc, Action run,
              const std::shared_ptr<Arguments>& arguments, const std::string& home,
              int& exit_code) {
  auto* command = admin.add_subcommand(name, doc);
  command->callback([arguments, run, &home, &exit_code] {
    const auto status = run(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
  return command;
}

}  // namespace

void add_admin_backup(CLI::App& admin, const std::string& home, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();  // shared by the callbacks CLI11 keeps
  auto* made = add(admin, "backup", "Copy database and settings, while the service runs", backup,
                   arguments, home, exit_code);
  made->add_option("folder", arguments->folder, "A folder that is not there yet")->required();
  made->add_option("--secrets", arguments->secrets, "Copy the keys, too, into another folder");
  made->add_option("--keys", arguments->keys, "Write the wrapped data keys, too, into this file");
  made->add_flag("--json", arguments->json, "Print the manifest");
  auto* back =
      add(admin, "restore", "Make an empty home of a backup", restore, arguments, home, exit_code);
  back->add_option("folder", arguments->folder, "The backup's folder")->required();
  back->add_option("--secrets", arguments->secrets, "The folder of its keys");
  back->add_option("--keys", arguments->keys, "The file of its data keys");
  back->add_option("--database", arguments->database,
                   "An empty database to restore into (default: as the settings say)");
  add(admin, "verify", "Whether the database is whole and its sums are the ledger's", verify,
      arguments, home, exit_code)
      ->add_flag("--mend", arguments->mend, "Make sums that differ from the rows again");
}

}  // namespace plinth
