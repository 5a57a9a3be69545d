// The two formats of adapters, parsed from bytes: each is hostile input.
#pragma once

#include "base/json.h"
#include "model/adapter_file.h"
#include "model/gguf/gguf_reader.h"
#include "model/safetensors_reader.h"

namespace plinth::model {

// config: adapter_config.json; tensors: of adapter_model.safetensors.
absl::StatusOr<AdapterFile> read_peft_adapter(const base::json::object& config,
                                              const SafetensorsTable& tensors,
                                              const DecoderSpec& base);

// general.type is "adapter" and adapter.type "lora".
absl::StatusOr<AdapterFile> read_gguf_adapter(const Gguf& gguf, const DecoderSpec& base);

}  // namespace plinth::model
