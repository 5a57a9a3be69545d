// What a run with low-rank adapters leaves, and the forms in which others take it.
#pragma once

#include <string>

#include "base/status.h"
#include "base/storage.h"
#include "model/adapter_file.h"
#include "tensor/dtype.h"
#include "train/decoder.h"

namespace plinth::train {

// What was trained, as others add it: B times the factor.
model::AdapterFile trained_adapter(const Parameters<float>& parameters, const LoraOptions& lora);

// A copy of the GGUF model `base` whose adapted matrices are W + factor * B A, stored as `dtype`.
// Unimplemented where the file keeps them in another form than the trainer (q, k and v as one).
absl::Status write_merged_gguf(const Parameters<float>& parameters, const LoraOptions& lora,
                               const std::string& base_path, tensor::DType dtype,
                               const std::string& to);

// adapter_config.json and adapter_model.safetensors in `folder`, as Hugging Face's PEFT reads them,
// for the base of that name. Rows of q and k are in Hugging Face's order, which is not that of
// every GGUF file. The configuration, which says nothing of what was learnt, is always plain.
absl::Status write_peft_adapter(const Decoder<float>& decoder, const LoraOptions& lora,
                                const std::string& base_name, const std::string& folder,
                                const base::Storage& storage = base::plain_storage());

}  // namespace plinth::train
