// What makes tokens of one piece of text: a vocabulary with its rule.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/tokenize/bpe_merger.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// Immutable and thread-safe.
class PieceModel {
 public:
  virtual ~PieceModel() = default;
  // `piece` is well-formed UTF-8. Appends its tokens. The merger is scratch space that one text's
  // pieces share.
  virtual void encode(std::string_view piece, BpeMerger& merger,
                      std::vector<TokenId>& ids) const = 0;
};

// `spec` must outlive the model, which keeps views of its strings.
absl::StatusOr<std::unique_ptr<PieceModel>> make_bpe(const TokenizerSpec& spec);
absl::StatusOr<std::unique_ptr<PieceModel>> make_wordpiece(const TokenizerSpec& spec);

}  // namespace plinth::model
