// The runner that computes: one forward pass of a decoder over packed weights and paged KV.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/storage.h"
#include "engine/runner.h"
#include "model/model_file.h"
#include "tensor/attention.h"
#include "tensor/linear.h"

namespace plinth::engine {

struct ModelRunnerOptions {
  int threads = 1;
  tensor::Isa isa = tensor::Isa::scalar;  // usually tensor::best_isa()
  tensor::LinearMode mode = tensor::LinearMode::fast;
  std::int32_t context_tokens = 0;  // no sequence gets longer; 0 = the model's own
  // How keys and values are kept; by default best_kv_type() where fast, f32 where exact.
  std::optional<tensor::KvType> kv = {};
  // Packed weights of an earlier start; brought up to date where they are not these.
  std::shared_ptr<tensor::PackedFile> packed = nullptr;
  tensor::Tuner* tuner = nullptr;  // until the runner is made
  base::ThreadPool::Pin pin = nullptr;
  // The plain bytes of a sealed file, by its AdapterRef's key. Aborted where it was sealed anew
  // since that was made. Null = sealed adapters are refused.
  std::function<absl::StatusOr<base::FileBytes>(const std::string& path, const std::string& key)>
      open_sealed = nullptr;
  bool bulk_reference = false;  // LinearOptions's, for tests
};

// Packs the weights; the file is kept for its embedding table.
absl::StatusOr<std::unique_ptr<Runner>> make_model_runner(std::unique_ptr<model::ModelFile> file,
                                                          const ModelRunnerOptions& options);

}  // namespace plinth::engine
