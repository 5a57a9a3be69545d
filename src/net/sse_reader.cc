#include "net/sse_reader.h"

namespace plinth::net {

absl::Status SseReader::feed(std::string_view piece) {
  while (!piece.empty()) {
    const auto end = piece.find('\n');
    if (partial_.size() + data_.size() + std::min(end, piece.size()) > kEventBytesMax) {
      return base::resource_exhausted("[sse] an event is over the limit of 16 MiB");
    }
    if (end == std::string_view::npos) {
      partial_.append(piece);
      break;
    }
    partial_.append(piece.substr(0, end));
    piece.remove_prefix(end + 1);
    if (partial_.ends_with("\r")) partial_.pop_back();
    line(partial_);
    partial_.clear();
  }
  return absl::OkStatus();
}

void SseReader::line(std::string_view text) {
  if (text.empty()) {
    if (has_data_) on_event_(data_);
    data_.clear();
    has_data_ = false;
    return;
  }
  if (!text.starts_with("data:")) return;
  text.remove_prefix(5);
  if (text.starts_with(" ")) text.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_.append(text);
  has_data_ = true;
}

}  // namespace plinth::net
