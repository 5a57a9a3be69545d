// How many parameters a model has, and of which type most of its bytes are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "model/model_file.h"

namespace plinth::model {

class TypeTally {
 public:
  void add(std::string_view type, std::int64_t elements, std::uint64_t bytes);
  // Sets the file's parameters and quantization.
  void fill(ModelFile& file) const;

 private:
  std::int64_t parameters_ = 0;
  std::map<std::string, std::uint64_t> bytes_;  // by type
};

}  // namespace plinth::model
