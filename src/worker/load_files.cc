#include "worker/load_files.h"

#include "base/file.h"
#include "base/log.h"

namespace plinth::worker {

LoadFiles::LoadFiles(const WorkerOptions& options, const base::Clock& clock)
    : runner_(options.runner) {
  if (const auto opened = open(options); !opened.ok()) LOG(warn, "{}", base::message(opened));
  if (options.autotune) {
    tuner_.emplace(tuning_ ? tuning_->read() : tensor::BlockingTable{}, clock);
  }
}

absl::Status LoadFiles::open(const WorkerOptions& options) {
  if (options.cache_folder.empty() || !(options.packed_cache || options.autotune)) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(base::make_folders(options.cache_folder, 0700));
  const auto base = options.cache_folder + "/" + tensor::model_cache_name(options.model_path);
  if (options.autotune) {
    ASSIGN_OR_RETURN(auto file, tensor::TuningFile::open(base + ".tuning.json"));
    tuning_ = std::move(file);
  }
  if (options.packed_cache) {
    ASSIGN_OR_RETURN(auto file, tensor::PackedFile::open(base + ".packed"));
    runner_.packed = std::make_shared<tensor::PackedFile>(std::move(file));
  }
  return absl::OkStatus();
}

engine::ModelRunnerOptions LoadFiles::runner() {
  auto options = runner_;
  options.tuner = tuner_ ? &*tuner_ : nullptr;
  return options;
}

void LoadFiles::keep() {
  if (!tuner_ || tuner_->measured() == 0) return;
  LOG(info, "chose the blocking of {} shapes of matrices", tuner_->measured());
  if (!tuning_) return;
  if (const auto kept = tuning_->write(tuner_->table()); !kept.ok()) {
    LOG(warn, "{}", base::message(kept));
  }
}

}  // namespace plinth::worker
