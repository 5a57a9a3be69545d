// Any bytes as a multipart body, cut in two ways: the same parts, and never more than was sent.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "net/multipart_reader.h"

namespace {

class Kept final : public plinth::net::MultipartSink {
 public:
  absl::Status on_part(plinth::net::MultipartPart part) override {
    text += "\n" + part.name + "|" + part.filename.value_or("-") + "|" + part.content_type + "\n";
    return absl::OkStatus();
  }
  absl::Status on_data(std::string_view bytes) override {
    text += bytes;
    size += bytes.size();
    return absl::OkStatus();
  }
  absl::Status on_part_end() override {
    text += "\nend";
    return absl::OkStatus();
  }
  std::string text;
  std::size_t size = 0;
};

// The first line is the content type, what follows the body.
bool read(std::string_view type, std::string_view body, std::size_t piece, Kept& kept) {
  auto reader = plinth::net::MultipartReader::open(type, kept);
  if (!reader.ok()) return false;
  for (std::size_t at = 0; at < body.size(); at += piece)
    if (!reader->feed(body.substr(at, piece)).ok()) return false;
  return reader->finish().ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const auto line = all.substr(0, all.find('\n'));
  const auto body = all.substr(std::min(line.size() + 1, all.size()));
  Kept whole, cut;
  const bool first = read(line, body, SIZE_MAX, whole);
  const bool second = read(line, body, 3, cut);
  if (first != second || (first && whole.text != cut.text)) std::abort();
  if (whole.size > body.size()) std::abort();
  return 0;
}
