// A decoder as model::DecoderSpec describes it, to be trained: the same layers as the engine's
// forward pass, on a tape.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/decoder_spec.h"
#include "train/batch.h"
#include "train/ops/cross_entropy.h"
#include "train/ops/rope.h"
#include "train/parameters.h"
#include "train/tape.h"
#include "train/weight.h"

namespace plinth::train {

// What of a layer's inner values is kept for the way back.
enum class Recompute : std::uint8_t { none, full };

// Numbers that the layers keep for one token where nothing is recomputed.
std::int64_t kept_numbers(const model::DecoderSpec& spec);

struct LoraOptions {
  std::int64_t rank = 0;  // 0 = the weights themselves learn
  double alpha = 16;      // the adapter's product counts alpha / rank times
  bool by_root = false;   // alpha / sqrt(rank): Kalajdzievski, "rsLoRA", 2023
  // Of "q", "k", "v", "o", "gate", "up", "down".
  std::vector<std::string> targets = {"q", "k", "v", "o"};
  // The base's weights stay as they are stored: less memory, more time.
  bool keep_stored = false;
  std::uint64_t seed = 1;  // of the first factors, which begin at random; the second at zero

  double factor() const;  // of the adapter's product
};

// Not thread-safe.
template <typename T>
class Decoder {
 public:
  // Weights that learn, and all of them where compute is null, are copies in full precision. With
  // adapters the base's are packed for the products of `compute`, or stay as they are, and
  // `weights` outlive this. Unimplemented where the model has experts; InvalidArgument where a
  // target of the adapter is none.
  static absl::StatusOr<std::unique_ptr<Decoder>> make(const model::DecoderSpec& spec,
                                                       const model::DecoderWeights& weights,
                                                       const LoraOptions& lora,
                                                       Compute* compute = nullptr);
  virtual ~Decoder() = default;

  const model::DecoderSpec& spec() const { return spec_; }
  Parameters<T>& parameters() { return parameters_; }
  const Parameters<T>& parameters() const { return parameters_; }

  // What comes out of the last norm, [m, width]. `batch` outlives the tape's use.
  virtual Var<T>& hidden(Tape<T>& tape, const Batch& batch, Recompute recompute) = 0;
  virtual Weight<T>& head() = 0;
  // Weights that learn, and their products, between one step of an optimizer and the next: to be
  // unpacked before their numbers change.
  virtual void pack(Compute& compute) = 0;
  virtual void unpack() = 0;
  // Called on the way back of hidden(): gradients of parameters from the index `begin` on are as
  // they will be. Null: nobody asks.
  using OnFinal = std::function<void(std::size_t begin)>;
  void set_on_final(OnFinal on_final) { on_final_ = std::move(on_final); }
  HeadShape head_shape() const { return {spec_.logits_scale, spec_.final_softcap}; }

 protected:
  explicit Decoder(const model::DecoderSpec& spec) : spec_(spec) {}
  const model::DecoderSpec spec_;
  Parameters<T> parameters_;
  OnFinal on_final_;
};

extern template class Decoder<float>;
extern template class Decoder<double>;

}  // namespace plinth::train
