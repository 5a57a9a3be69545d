// Lines from a person: edited with history on a terminal, plain from anything else.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace plinth {

class LineEditor {
 public:
  LineEditor();
  ~LineEditor();
  // Nothing at the end of the input. An empty line where Ctrl-C gave it up.
  std::optional<std::string> read(const std::string& prompt);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth
