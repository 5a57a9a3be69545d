#include "model/decoder/type_tally.h"

namespace plinth::model {

void TypeTally::add(std::string_view type, std::int64_t elements, std::uint64_t bytes) {
  parameters_ += elements;
  bytes_[std::string(type)] += bytes;
}

void TypeTally::fill(ModelFile& file) const {
  file.parameters = parameters_;
  std::uint64_t most = 0;
  for (const auto& [name, bytes] : bytes_) {
    if (bytes > most) {
      most = bytes;
      file.quantization = name;
    }
  }
}

}  // namespace plinth::model
