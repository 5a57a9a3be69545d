// Splits text into the pieces that byte-level BPE merges inside of, as each family's regular
// expression says. The expressions are the ones that the families' tokenizer.json files publish.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::model {

class PreTokenizer {
 public:
  // InvalidArgument for a name that is not known.
  static absl::StatusOr<std::unique_ptr<PreTokenizer>> create(const std::string& name);
  ~PreTokenizer();
  // `text` is valid UTF-8. Calls visit(piece) in order; the pieces together are the text.
  // Thread-safe.
  void split(std::string_view text, const std::function<void(std::string_view)>& visit) const;

 private:
  struct Impl;
  explicit PreTokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::model
