#include "engine/model_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/run/adapted_rows.h"
#include "engine/run/attention_half.h"
#include "engine/run/feed_forward.h"
#include "engine/run/kv_pages.h"
#include "engine/run/mixture_of_experts.h"
#include "engine/run/packed_layer.h"
#include "engine/run/residual.h"
#include "engine/run/step.h"

namespace plinth::engine {

namespace {

std::int32_t context_of(const model::DecoderSpec& spec, std::int32_t wanted) {
  return wanted > 0 ? std::min(wanted, spec.context) : spec.context;
}

// The reference path keeps every bit; the fast one halves what a long context reads.
tensor::KvType kv_type_of(const ModelRunnerOptions& options) {
  if (options.kv.has_value()) return *options.kv;
  return options.mode == tensor::LinearMode::exact ? tensor::KvType::f32
                                                   : tensor::best_kv_type(options.isa);
}

const std::vector<float> kNoBias;

class ModelRunner final : public Runner {
 public:
  ModelRunner(std::unique_ptr<model::ModelFile> file, const ModelRunnerOptions& options)
      : file_(std::move(file)),
        spec_(file_->spec),
        options_(options),
        pool_(options.threads, options.pin),
        adapted_(options.isa),
        context_{spec_, tensor::ops_for(options.isa), pool_, &adapted_},
        pages_(spec_, kv_type_of(options)),
        feed_forward_(context_),
        experts_(context_),
        x_(context_) {}

  absl::Status pack() {
    const auto store = std::make_shared<tensor::PackedStore>(options_.packed);
    const tensor::LinearOptions linear{options_.isa, options_.mode,  &pool_,
                                       store,        options_.tuner, options_.bulk_reference};
    for (int i = 0; i < spec_.layers; ++i) {
      const auto& weights = file_->weights.layers[static_cast<std::size_t>(i)];
      ASSIGN_OR_RETURN(auto layer, pack_layer(spec_, weights, i, linear));
      layers_.push_back(std::move(layer));
      release_stored();
    }
    ASSIGN_OR_RETURN(head_, tensor::pack_linear({&file_->weights.head, 1}, linear));
    keep_packed(*store);
    release_stored();
    info_.vocab_size = spec_.vocab;
    info_.context_tokens_max = context_of(spec_, options_.context_tokens);
    if (!spec_.rope.long_frequencies.empty())
      info_.short_rope_tokens_max = spec_.rope.original_context;
    // Attention's multiply-adds take about as many times as long as those of integers.
    const bool bfloat = pages_.type() == tensor::KvType::bf16;
    info_.position_cost = (bfloat && tensor::multiplies_bfloat(options_.isa) ? 2.0 : 4.0) * 2 *
                          spec_.layers * spec_.heads * spec_.head_width /
                          static_cast<double>(std::max<std::int64_t>(file_->parameters, 1));
    info_.kv_block_bytes = pages_.block_bytes();
    info_.prompts_apart = tensor::multiplies_bulk_apart(linear);
    info_.fingerprint = fmt::format("fp_{}_{}_{}", file_->quantization,
                                    tensor::isa_name(options_.isa), file_->parameters);
    if (options_.mode == tensor::LinearMode::fast && pages_.type() != tensor::KvType::f16) {
      info_.fingerprint += fmt::format("_kv{}", tensor::kv_type_name(pages_.type()));
    }
    return absl::OkStatus();
  }

  const RunnerInfo& info() const override { return info_; }

  absl::Status allocate_kv(std::int32_t blocks) override {
    RETURN_IF_ERROR(pages_.allocate(blocks));
    attention_.emplace(context_, pages_, options_.isa);
    return absl::OkStatus();
  }

  absl::Status forward(std::span<const BatchEntry> batch, std::span<const float>& logits) override {
    CHECK(attention_.has_value());
    RETURN_IF_ERROR(plan(batch));
    RETURN_IF_ERROR(adapted_.begin(step_, adapters_));
    embed();
    attention_->begin(step_);
    for (const auto& layer : layers_) {
      attention_->run(layer, step_, x_);
      feed_forward_half(layer);
    }
    adapted_.end();
    project(batch);
    logits = logits_;
    return absl::OkStatus();
  }

  void clear_blocks(std::span<const BlockId> blocks) override { pages_.clear(blocks); }

  absl::StatusOr<LoadedAdapter> load_adapter(const protocol::AdapterRef& adapter) override {
    base::ReadFile read = base::map_file;
    if (!adapter.key.empty()) {
      if (options_.open_sealed == nullptr)
        return base::unimplemented("[adapter] no sealed file is read here");
      read = [&](const std::string& path) { return options_.open_sealed(path, adapter.key); };
    }
    ASSIGN_OR_RETURN(const auto file,
                     model::open_adapter({adapter.path, adapter.config_path}, spec_, read));
    const auto packed = pack_adapter(file, spec_);
    return LoadedAdapter{adapters_.add(packed), packed->bytes};
  }
  void unload_adapter(AdapterId adapter) override { adapters_.remove(adapter); }

 private:
  // Packed weights are copies: the stored ones would double the model's memory.
  void release_stored() const {
    for (const auto& mapping : file_->mappings) base::release_pages(mapping);
  }

  // A model serves without its file too: a full disk, say, is a line in the log.
  void keep_packed(tensor::PackedStore& store) const {
    if (options_.packed == nullptr) return;
    LOG(info, "{} packed matrices were found in {}", store.found(), options_.packed->path());
    if (const auto kept = store.keep(); !kept.ok()) LOG(warn, "{}", base::message(kept));
  }

  // Rows of prompts that are computed in bulk come last.
  absl::Status plan(std::span<const BatchEntry> batch) {
    step_.clear();
    first_rows_.resize(batch.size());
    for (const bool bulk : {false, true}) {
      if (bulk) step_.prompts_from = step_.size();
      for (std::size_t i = 0; i < batch.size(); ++i) {
        if ((info_.prompts_apart && batch[i].prompt) != bulk) continue;
        first_rows_[i] = step_.size();
        RETURN_IF_ERROR(append(batch[i]));
      }
    }
    return absl::OkStatus();
  }

  absl::Status append(const BatchEntry& entry) {
    const auto end = entry.position + static_cast<std::int32_t>(entry.tokens.size());
    CHECK(static_cast<std::int64_t>(entry.blocks.size()) * kBlockTokens >= end);
    CHECK(entry.long_rope ? !spec_.rope.long_frequencies.empty()
                          : end <= info_.short_rope_tokens_max);
    for (const auto block : entry.blocks) {
      CHECK(block.value() >= 0 && block.value() < pages_.blocks());
    }
    if (end > info_.context_tokens_max) {
      return base::invalid_argument(fmt::format("{} tokens are over the model's context of {}", end,
                                                info_.context_tokens_max));
    }
    step_.positions = std::max(step_.positions, end);
    for (std::size_t i = 0; i < entry.tokens.size(); ++i) {
      if (entry.tokens[i] < 0 || entry.tokens[i] >= spec_.vocab) {
        return base::invalid_argument(
            fmt::format("token {} is outside the vocabulary of {}", entry.tokens[i], spec_.vocab));
      }
      step_.ids.push_back(entry.tokens[i]);
      step_.tokens.push_back({entry.position + static_cast<std::int32_t>(i), &entry});
    }
    return absl::OkStatus();
  }

  void embed() {
    const std::int64_t d = spec_.width;
    float* x = x_.begin(step_.size());
    h_.resize(static_cast<std::size_t>(step_.size() * d));
    tensor::gather_rows(file_->weights.embedding, step_.ids, x);
    if (spec_.embedding_scale != 1) {
      context_.ops.scale(x, spec_.embedding_scale, step_.size() * d);
    }
    if (!spec_.learned_positions) return;
    positions_.clear();
    for (const auto& token : step_.tokens) positions_.push_back(token.position);
    tensor::gather_rows(file_->weights.positions, positions_, h_.data());
    context_.ops.add(x, h_.data(), step_.size() * d);
  }

  // x += post_norm(feed_forward(norm(x)))
  void feed_forward_half(const PackedLayer& layer) {
    const auto& weights = *layer.weights;
    const auto make_row = [&](int t) {
      x_.norm(t, weights.ffn_norm, h_.data() + std::int64_t{t} * spec_.width);
    };
    out_.resize(h_.size());
    if (layer.spec.experts) {
      experts_.run(layer, h_.data(), step_.rows(), out_.data(), make_row);
    } else {
      feed_forward_.run(layer.feed_forward, h_.data(), step_.rows(), out_.data(), make_row);
    }
    x_.add_later(out_.data(), kNoBias, spec_.post_norms ? &weights.ffn_post_norm : nullptr);
  }

  // Only the rows whose logits are wanted go through the head, none of them in bulk.
  void project(std::span<const BatchEntry> batch) {
    const std::int64_t d = spec_.width;
    wanted_.clear();
    for (std::size_t e = 0; e < batch.size(); ++e) {
      const auto size = static_cast<int>(batch[e].tokens.size());
      CHECK(batch[e].logits >= 0 && batch[e].logits <= size);
      for (int i = size - batch[e].logits; i < size; ++i) wanted_.push_back(first_rows_[e] + i);
    }
    const auto wanted = static_cast<int>(wanted_.size());
    logits_.resize(wanted_.size() * static_cast<std::size_t>(spec_.vocab));
    if (wanted == 0) return;
    head_->prepare_made(h_.data(), d, wanted, activations_, pool_, [&](int i) {
      x_.norm(wanted_[static_cast<std::size_t>(i)], file_->weights.final_norm, h_.data() + i * d);
    });
    head_->multiply(activations_, wanted, logits_.data(), spec_.vocab, pool_);
    const auto n = static_cast<std::int64_t>(logits_.size());
    if (spec_.logits_scale != 1) context_.ops.scale(logits_.data(), spec_.logits_scale, n);
    if (spec_.final_softcap > 0) context_.ops.softcap(logits_.data(), spec_.final_softcap, n);
  }

  const std::unique_ptr<model::ModelFile> file_;
  const model::DecoderSpec& spec_;
  const ModelRunnerOptions options_;
  base::ThreadPool pool_;
  AdapterSet adapters_;
  AdaptedRows adapted_;
  const RunContext context_;
  KvPages pages_;
  std::optional<AttentionHalf> attention_;  // since allocate_kv()
  FeedForward feed_forward_;
  MixtureOfExperts experts_;
  std::vector<PackedLayer> layers_;
  Matrix head_;
  RunnerInfo info_;

  // Of one forward(). Scratch grows with the largest step so far: a step like an earlier one
  // allocates nothing.
  Step step_;
  std::vector<std::int32_t> positions_;
  std::vector<int> first_rows_;  // of each entry
  std::vector<int> wanted_;      // rows whose logits are
  tensor::Activations activations_;
  Residual x_;
  std::vector<float> h_, out_, logits_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Runner>> make_model_runner(std::unique_ptr<model::ModelFile> file,
                                                          const ModelRunnerOptions& options) {
  auto runner = std::make_unique<ModelRunner>(std::move(file), options);
  RETURN_IF_ERROR(runner->pack());
  return std::unique_ptr<Runner>(std::move(runner));
}

}  // namespace plinth::engine
