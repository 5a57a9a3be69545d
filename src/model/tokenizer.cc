#include "model/tokenizer.h"

#include "model/tokenize/byte_level_bpe.h"
#include "model/tokenize/utf8.h"

namespace plinth::model {

absl::StatusOr<std::unique_ptr<Tokenizer>> make_tokenizer(TokenizerSpec spec) {
  if (spec.kind != TokenizerKind::byte_level_bpe) {
    return base::unimplemented("[tokenizer] only byte-level BPE is supported");
  }
  return make_byte_level_bpe(std::move(spec));
}

std::string TextDecoder::push(TokenId id) {
  held_ += tokenizer_.token_bytes(id);
  std::string out;
  std::string_view rest = held_;
  while (!rest.empty()) {
    bool incomplete = false;
    const auto length = utf8_length(rest, incomplete);
    if (incomplete) break;
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      rest.remove_prefix(1);
    } else {
      out.append(rest.substr(0, length));
      rest.remove_prefix(length);
    }
  }
  held_ = std::string(rest);
  return out;
}

std::string TextDecoder::finish() {
  std::string out = utf8_repaired(held_);
  held_.clear();
  return out;
}

}  // namespace plinth::model
