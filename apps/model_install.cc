#include "apps/model_install.h"

#include <fmt/format.h>

#include <filesystem>

#include "apps/terminal.h"
#include "cluster/model_puller.h"
#include "model/adapter_file.h"
#include "model/encoder_file.h"
#include "model/model_file.h"
#include "model/suggested_sampling.h"

namespace plinth {

namespace {

cluster::ModelFacts facts_of(const std::string& path) {
  cluster::ModelFacts facts;
  const auto encoder = model::is_encoder(path);
  if (encoder.ok()) facts.kind = *encoder ? "embeddings" : "chat";
  auto sampling = model::suggested_sampling(path);
  if (sampling.ok()) facts.sampling = *std::move(sampling);
  return facts;
}

cluster::PullOptions pull_options() {
  auto options = cluster::PullOptions::from_environment();
  options.facts_of = facts_of;
  return options;
}

absl::Status check_adapter(const std::string& base, const std::string& adapter) {
  ASSIGN_OR_RETURN(const auto file, model::open_model(base));
  return model::open_adapter(model::adapter_paths(adapter), file->spec).status();
}

}  // namespace

absl::StatusOr<cluster::InstalledModel> install_adapter(const cluster::ModelLibrary& library,
                                                        cluster::AdapterSource source,
                                                        const base::Clock& clock) {
  const bool named = !source.base.empty();
  if (!named) source.base = model::adapter_base_name(source.folder);
  if (!library.find(source.base).ok()) {
    return base::invalid_argument(
        named ? fmt::format("--base {}: no such model is installed", source.base)
              : fmt::format("{} is an adapter: --base says over which installed model",
                            source.folder));
  }
  ProgressBar bar(clock);
  const auto http = net::make_http_client();
  const cluster::PullProgress progress{[](const std::string&) {},
                                       [&](const std::string& file, std::uint64_t done,
                                           std::uint64_t total) { bar.update(file, done, total); }};
  cluster::ModelPuller puller(library, *http, clock, cluster::PullOptions::from_environment());
  auto installed = cluster::install_adapter(library, puller, source, check_adapter, progress);
  bar.finish();
  return installed;
}

absl::StatusOr<cluster::InstalledModel> install_model(const cluster::ModelLibrary& library,
                                                      const cluster::CatalogModel& model,
                                                      const base::Clock& clock) {
  fmt::print(stderr, "{} ({}), licence {}\n", model.name, model.title, model.license);
  ProgressBar bar(clock);
  const auto http = net::make_http_client();
  const cluster::PullProgress progress{[&](const std::string& line) {
                                         bar.finish();
                                         fmt::print(stderr, "{}\n", styled(line, "2"));
                                       },
                                       [&](const std::string& file, std::uint64_t done,
                                           std::uint64_t total) { bar.update(file, done, total); }};
  auto pulled = cluster::ModelPuller(library, *http, clock, pull_options()).pull(model, progress);
  bar.finish();
  return pulled;
}

absl::StatusOr<std::string> ensure_installed(const cluster::ModelLibrary& library,
                                             const std::string& name, const base::Clock& clock) {
  if (library.find(name).ok()) return name;
  ASSIGN_OR_RETURN(const auto wanted, cluster::resolve_model(name));
  // A file on this machine may have changed since it was copied; the rest is known by its name.
  const bool local = wanted.files.front().sources.front().starts_with("file:");
  if (local || !library.find(wanted.name).ok()) {
    RETURN_IF_ERROR(install_model(library, wanted, clock).status());
  }
  return wanted.name;
}

absl::Status take_trained(const cluster::ModelLibrary& library, const std::string& path,
                          const std::string& name, const base::Clock& clock) {
  if (name.empty()) {
    fmt::print(stderr, "left {}; `plinth model import {} --as NAME` makes it callable\n",
               std::filesystem::path(path).parent_path().string(), path);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(auto model, cluster::resolve_model(path));
  model.name = name;
  return install_model(library, model, clock).status();
}

}  // namespace plinth
