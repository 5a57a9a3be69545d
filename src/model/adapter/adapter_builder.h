// Holds an adapter's tensors to its base's description and makes an AdapterFile of them, whatever
// format they came in.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "model/adapter_file.h"
#include "model/decoder/tensor_table.h"

namespace plinth::model {

// Outputs and inputs of a matrix. Unimplemented where the layer has it not as one matrix of its
// own: experts, a gate of a block that has none.
struct AdaptedShape {
  std::int64_t outputs = 0, inputs = 0;
};
absl::StatusOr<AdaptedShape> adapted_shape(const DecoderSpec& base, std::int64_t layer,
                                           AdaptedMatrix matrix);

class AdapterBuilder {
 public:
  // neighbour_pairs: rows of q and k lie in the file as rope's pairs of neighbours want them, as
  // GGUF keeps Llama's; else halves are paired, as Hugging Face has them.
  AdapterBuilder(const DecoderSpec& base, bool neighbour_pairs)
      : base_(base), neighbour_pairs_(neighbour_pairs) {}

  // One half of a matrix: A [rank, inputs], or B [outputs, rank]. `name` is the tensor's, for
  // errors; the layer is as the name says it, unchecked.
  absl::Status add(const std::string& name, std::int64_t layer, AdaptedMatrix matrix, bool is_b,
                   const StoredTensor& tensor);
  // factor_of(rank): what B A is multiplied by.
  template <typename FactorOf>
  absl::StatusOr<AdapterFile> finish(const FactorOf& factor_of) {
    AdapterFile file;
    for (auto& [place, halves] : halves_) {
      ASSIGN_OR_RETURN(auto part, join(place, halves));
      const auto factor = factor_of(part.rank);
      if (!factor.ok()) return factor.status();
      RETURN_IF_ERROR(scale(*factor, part));
      file.parts.push_back(std::move(part));
    }
    if (file.parts.empty()) return base::invalid_argument("[adapter] it adapts no matrix");
    return file;
  }

 private:
  struct Half {
    std::string name;
    StoredTensor tensor;
  };
  struct Halves {
    std::optional<Half> a, b;
  };
  using Place = std::pair<std::int32_t, AdaptedMatrix>;

  absl::StatusOr<AdapterPart> join(const Place& place, const Halves& halves) const;
  absl::Status scale(double factor, AdapterPart& part) const;
  void reorder(AdapterPart& part) const;

  const DecoderSpec& base_;
  const bool neighbour_pairs_;
  std::map<Place, Halves> halves_;
  std::size_t numbers_ = 0;
};

}  // namespace plinth::model
