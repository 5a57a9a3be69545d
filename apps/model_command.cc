#include "apps/model_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "apps/command_line.h"
#include "apps/home.h"
#include "apps/home_models.h"
#include "apps/model_convert.h"
#include "apps/model_install.h"
#include "apps/model_summary.h"
#include "apps/terminal.h"
#include "base/json.h"
#include "cluster/model_catalog.h"
#include "cluster/model_export.h"
#include "cluster/model_library.h"
#include "model/adapter_file.h"

namespace plinth {

namespace {

using cluster::InstalledModel;
using cluster::ModelLibrary;

struct ModelArguments {
  std::string home;  // the folder
  std::string name;
  std::string as;
  std::string base;
  std::string target;
  ConvertOptions convert;  // of an export; format "": its files as they are
  bool json = false;
};

base::json::object to_object(const InstalledModel& model, const ModelLibrary& library) {
  base::json::array files;
  for (const auto& file : model.files) {
    base::json::object entry{{"path", file.path}, {"sha256", file.sha256}, {"bytes", file.bytes}};
    if (!file.content.empty()) entry["sealed"] = file.content;
    files.push_back(std::move(entry));
  }
  base::json::object sampling;
  for (const auto& [name, value] : model.sampling) sampling[name] = value;
  return {{"name", model.name},
          {"title", model.title},
          {"kind", model.kind},
          {"base", model.base},
          {"license", model.license},
          {"bytes", model.bytes()},
          {"pulled", model.pulled_unix_s},
          {"path", library.open_path(model)},
          {"sampling", sampling},
          {"files", files}};
}

absl::Status import_adapter(const ModelLibrary& library, const ModelArguments& arguments) {
  const base::RealClock clock;
  ASSIGN_OR_RETURN(const auto model,
                   install_adapter(library, {arguments.as, arguments.base, arguments.name}, clock));
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(to_object(model, library)));
  } else {
    fmt::print("{} {} over {} ({})\n", styled("installed", "32", Stream::out), model.name,
               model.base, human_bytes(model.bytes()));
  }
  return absl::OkStatus();
}

// What is a project's goes by its owner's word alone: its content would be nobody's.
absl::Status refuse_sealed(const ModelLibrary& library, const std::string& name) {
  const auto present = library.find(name);
  if (!present.ok() || present->sealed() == nullptr) return absl::OkStatus();
  return base::failed_precondition(fmt::format(
      "{} is a tuned model of a project: remove it first, or choose another name with --as", name));
}

absl::Status pull(const ModelLibrary& library, const ModelArguments& arguments) {
  RETURN_IF_ERROR(refuse_sealed(library, arguments.as));
  if (!arguments.base.empty() || model::is_adapter(arguments.name)) {
    return import_adapter(library, arguments);
  }
  ASSIGN_OR_RETURN(auto wanted, cluster::resolve_model(arguments.name));
  if (!arguments.as.empty()) wanted.name = arguments.as;
  if (!cluster::valid_model_name(wanted.name)) {
    return base::invalid_argument(
        fmt::format("--as {}: letters, digits, \"-\", \"_\" and \".\" make a name", wanted.name));
  }
  const bool catalogued = std::any_of(wanted.files.begin(), wanted.files.end(),
                                      [](const auto& file) { return !file.sha256.empty(); });
  const auto present = library.find(wanted.name);
  if (present.ok() && catalogued) {
    const bool same = std::all_of(wanted.files.begin(), wanted.files.end(), [&](const auto& file) {
      return std::any_of(present->files.begin(), present->files.end(), [&](const auto& have) {
        return have.path == file.path && have.sha256 == file.sha256;
      });
    });
    const bool same_sampling = std::includes(present->sampling.begin(), present->sampling.end(),
                                             wanted.sampling.begin(), wanted.sampling.end());
    if (same && same_sampling) {
      if (arguments.json)
        fmt::print("{}\n", base::to_json(to_object(*present, library)));
      else
        fmt::print("{} is up to date ({})\n", wanted.name, human_bytes(present->bytes()));
      return absl::OkStatus();
    }
  }
  const base::RealClock clock;
  const auto pulled = install_model(library, wanted, clock);
  RETURN_IF_ERROR(pulled.status());
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(to_object(*pulled, library)));
  } else {
    fmt::print("{} {} ({}, sha256 checked)\n", styled("installed", "32", Stream::out), pulled->name,
               human_bytes(pulled->bytes()));
  }
  return absl::OkStatus();
}

absl::Status list(const ModelLibrary& library, const ModelArguments& arguments) {
  const auto models = library.list();
  if (arguments.json) {
    base::json::array all;
    for (const auto& model : models) all.push_back(to_object(model, library));
    fmt::print("{}\n", base::to_json(all));
    return absl::OkStatus();
  }
  fmt::print("{:<20} {:<11} {:>11}  {:<20} {}\n", "NAME", "KIND", "SIZE", "LICENCE", "STATE");
  for (const auto& model : models) {
    fmt::print("{:<20} {:<11} {:>11}  {:<20} installed\n", model.name, model.kind,
               human_bytes(model.bytes()), model.license);
  }
  for (const auto& model : cluster::builtin_catalog()) {
    const bool have = std::any_of(models.begin(), models.end(),
                                  [&](const auto& other) { return other.name == model.name; });
    if (have) continue;
    std::uint64_t bytes = 0;
    for (const auto& file : model.files) bytes += file.bytes;
    fmt::print("{:<20} {:<11} {:>11}  {:<20} in the catalog\n", model.name, model.kind,
               bytes == 0 ? "-" : human_bytes(bytes), model.license);
  }
  return absl::OkStatus();
}

absl::Status show(const ModelLibrary& library, const ModelArguments& arguments) {
  ASSIGN_OR_RETURN(const auto model, library.find(arguments.name));
  const auto summary = summarize_model(library.open_path(model));
  if (arguments.json) {
    auto object = to_object(model, library);
    if (summary.ok()) {
      object["model"] = *summary;
    } else if (model.kind == "chat") {
      object["error"] = std::string(base::message(summary.status()));
    }
    fmt::print("{}\n", base::to_json(object));
    return absl::OkStatus();
  }
  fmt::print("{}\n  title    {}\n  kind     {}\n  licence  {}\n  size     {}\n  path     {}\n",
             model.name, model.title, model.kind, model.license, human_bytes(model.bytes()),
             library.open_path(model));
  if (summary.ok()) {
    fmt::print("{}", summary_lines(*summary));
  } else if (model.kind == "chat") {
    fmt::print("  error    {}\n", std::string(base::message(summary.status())));
  }
  std::string sampling;
  for (const auto& [name, value] : model.sampling) {
    sampling += fmt::format("{}{} {}", sampling.empty() ? "" : ", ", name, value);
  }
  if (!sampling.empty()) fmt::print("  sampling {}, unless a request says otherwise\n", sampling);
  for (const auto& file : model.files) {
    fmt::print("  file     {}  {}{}\n", file.sha256, file.path,
               file.content.empty() ? "" : ", sealed as " + file.content);
  }
  return absl::OkStatus();
}

absl::Status verify(const ModelLibrary& library, const ModelArguments& arguments) {
  ASSIGN_OR_RETURN(const auto model, library.find(arguments.name));
  const base::RealClock clock;
  ProgressBar bar(clock);
  const auto status = library.verify(
      model, [&](std::uint64_t done) { bar.update("verifying", done, model.bytes()); });
  bar.finish();
  RETURN_IF_ERROR(status);
  if (const auto* file = model.sealed(); file != nullptr) {
    HomeModels home(arguments.home, library);
    ASSIGN_OR_RETURN(auto* sealed, home.sealed());
    RETURN_IF_ERROR(sealed->verify(file->content));
  }
  if (arguments.json)
    fmt::print("{{\"name\":\"{}\",\"verified\":true}}\n", model.name);
  else
    fmt::print("{}: every file has its sha256{}\n", model.name,
               model.sealed() == nullptr ? "" : ", and what is sealed opens");
  return absl::OkStatus();
}

absl::Status remove(const ModelLibrary& library, const ModelArguments& arguments) {
  ASSIGN_OR_RETURN(const auto model, library.find(arguments.name));
  RETURN_IF_ERROR(HomeModels(arguments.home, library).remove(model));
  if (arguments.json)
    fmt::print("{{\"name\":\"{}\",\"removed\":true}}\n", arguments.name);
  else
    fmt::print("removed {}\n", arguments.name);
  return absl::OkStatus();
}

absl::Status export_to(const ModelLibrary& library, const ModelArguments& arguments) {
  ASSIGN_OR_RETURN(const auto model, library.find(arguments.name));
  HomeModels home(arguments.home, library);
  if (arguments.convert.format.empty()) {
    if (!arguments.convert.type.empty())
      return base::invalid_argument("--type needs --format gguf or safetensors");
    const base::RealClock clock;
    ProgressBar bar(clock);
    const auto status = cluster::export_model(
        library, model, arguments.target,
        [&](std::uint64_t done) { bar.update("exporting", done, model.bytes()); },
        [&](const std::string& content) -> absl::StatusOr<base::FileBytes> {
          ASSIGN_OR_RETURN(auto* sealed, home.sealed());
          return sealed->read(content);
        });
    bar.finish();
    RETURN_IF_ERROR(status);
  } else {
    RETURN_IF_ERROR(convert_model(library, home, model, arguments.convert, arguments.target));
  }
  if (arguments.json) {
    fmt::print("{}\n",
               base::to_json(base::json::object{
                   {"name", model.name}, {"target", arguments.target}, {"exported", true}}));
  } else {
    const bool as_is = arguments.convert.format.empty();
    fmt::print("{} {} ({}, licence {})\n", styled("exported", "32", Stream::out), arguments.target,
               as_is ? human_bytes(model.bytes()) : arguments.convert.format, model.license);
  }
  return absl::OkStatus();
}

}  // namespace

void add_model_command(Command& app, const std::string& home, int& exit_code) {
  auto* model =
      app.add_subcommand("model", "Pull, list, show, verify, remove, import and export models");
  model->require_subcommand();
  const auto arguments =
      std::make_shared<ModelArguments>();  // shared by the callbacks that are kept
  using Action = std::function<absl::Status(const ModelLibrary&, const ModelArguments&)>;
  const auto add = [&](const char* name, const char* text, const char* argument, Action action) {
    auto* command = model->add_subcommand(name, text);
    if (argument != nullptr) command->add_option("name", arguments->name, argument)->required();
    command->add_flag("--json", arguments->json, "One JSON document on stdout");
    command->callback([arguments, action, &home, &exit_code] {
      const auto folder = find_home(home);
      if (!folder.ok()) {
        exit_code = report(folder.status());
        return;
      }
      arguments->home = *folder;
      const auto library = ModelLibrary::open(*folder);
      const auto status = library.ok() ? action(*library, *arguments) : library.status();
      exit_code = status.ok() ? 0 : report(status);
    });
    return command;
  };
  model->footer(
      "Examples:\n"
      "  plinth model pull smollm2\n"
      "  plinth model pull hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf --as qwen3-4b\n"
      "  plinth model import ./my-model/\n"
      "  plinth model import ./adapter/ --base smollm2 --as my-adapter\n"
      "  plinth model export smollm2 smollm2.tar\n"
      "  plinth model export my-adapter merged --format safetensors\n"
      "HF_ENDPOINT, HF_TOKEN, PIP_INDEX_URL, https_proxy and SSL_CERT_FILE are honoured.");
  constexpr char kSource[] = "Catalog name, hf:OWNER/REPO/FILE, URL#sha256=DIGEST, or a path";
  add("pull", "Download a model, resuming and checking it", kSource, pull)
      ->add_option("--as", arguments->as, "Install under this name");
  auto* import = add("import", "Copy a model file or folder into the home", kSource, pull);
  import->add_option("--as", arguments->as, "Install under this name");
  import->add_option("--base", arguments->base, "It is an adapter over this installed model");
  auto* out = add("export", "Write a model's files and manifest to a folder or a .tar",
                  "Installed model", export_to);
  out->add_option("target", arguments->target, "A new folder, or a file ending in .tar")
      ->required();
  out->add_option("--format", arguments->convert.format,
                  "gguf, or safetensors: a folder for transformers; adapters with their base")
      ->one_of({"gguf", "safetensors"})
      ->option_text("NAME");
  out->add_option("--type", arguments->convert.type, "Of matrices there: q4_0, q8_0, bf16, ...");
  add("list", "Installed models and the catalog", nullptr, list);
  add("show", "One installed model: files, digests, licence", "Installed model", show);
  add("verify", "Read every byte and compare sha256", "Installed model", verify);
  add("rm", "Remove a model and the files that only it uses", "Installed model", remove);
}

}  // namespace plinth
