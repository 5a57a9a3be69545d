// A decoder's description as GGUF metadata: the way back of decoder_spec_of().
#pragma once

#include <string_view>

#include "base/status.h"
#include "model/gguf_writer.h"
#include "model/model_file.h"

namespace plinth::model {

// Whether the architecture's queries and keys lie in the order of neighbours (head_rows.h).
bool gguf_neighbours(std::string_view architecture);

// Unimplemented names what cannot be said, or what llama.cpp would compute in another way.
absl::Status add_gguf_spec(const ModelFile& model, GgufWriter& writer);

}  // namespace plinth::model
