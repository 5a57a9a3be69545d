// The character that SentencePiece writes for a space.
#pragma once

#include <string_view>

namespace plinth::model {

inline constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // U+2581

}  // namespace plinth::model
