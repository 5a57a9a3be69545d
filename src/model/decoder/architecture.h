// What an architecture's name alone says, and what must hold between the numbers of a description:
// the same for every file format.
#pragma once

#include <string_view>

#include "base/status.h"
#include "model/decoder_spec.h"

namespace plinth::model {

// A description with the architecture's choices made and every number still to be read.
// Unimplemented names an architecture that is not known. Names as GGUF has them.
absl::StatusOr<DecoderSpec> describe_architecture(std::string_view name);

// Sets what follows from the widths (attention and embedding scale, one LayerSpec for each layer).
// InvalidArgument where heads, widths or experts do not fit each other.
absl::Status finish_widths(DecoderSpec& spec);

// The windows of layers that alternate: every `period`-th layer attends to everything, the others
// to the last `window` positions. Period 1: all layers have the window.
void set_windows(std::int32_t window, std::int32_t period, DecoderSpec& spec);

}  // namespace plinth::model
