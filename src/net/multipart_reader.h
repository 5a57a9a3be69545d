// multipart/form-data (RFC 7578), read from pieces of a body that may be cut anywhere. Nothing of a
// part's body is kept: who reads gets it as it comes, and what is held is bounded by limits.h.
//
//   ASSIGN_OR_RETURN(auto reader, MultipartReader::open(request.header("content-type"), sink))
//   reader.feed(piece)  for each piece, then  reader.finish()
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "net/limits.h"

namespace plinth::net {

// What the headers of a part say: UTF-8 without control characters.
struct MultipartPart {
  std::string name;
  std::optional<std::string> filename;  // of a file
  std::string content_type;             // "" where it says none
};

// Gets each part as on_part, on_data any number of times, on_part_end. What is not OK ends the
// reading.
class MultipartSink {
 public:
  virtual ~MultipartSink() = default;
  virtual absl::Status on_part(MultipartPart part) = 0;
  virtual absl::Status on_data(std::string_view bytes) = 0;
  virtual absl::Status on_part_end() = 0;
};

// A multipart body inside a part is bytes like any other.
class MultipartReader {
 public:
  // `content_type`: the request's header. InvalidArgument where it is not multipart/form-data with
  // a boundary. `sink` outlives the reader.
  static absl::StatusOr<MultipartReader> open(std::string_view content_type, MultipartSink& sink);
  // InvalidArgument for what is no such body, or what the sink said; then again and again.
  absl::Status feed(std::string_view piece);
  // InvalidArgument where the body ended too early.
  absl::Status finish();

 private:
  enum class State { preamble, boundary, headers, body, epilogue };
  MultipartReader(std::string delimiter, MultipartSink& sink)
      : sink_(&sink), delimiter_(std::move(delimiter)) {}
  // Each takes from the front of `rest` what it can; false = it needs more.
  absl::StatusOr<bool> advance(std::string_view& rest);
  absl::StatusOr<bool> read_bytes(std::string_view& rest);
  absl::StatusOr<bool> read_boundary(std::string_view& rest);
  absl::StatusOr<bool> read_headers(std::string_view& rest);

  MultipartSink* sink_;
  std::string delimiter_;        // "\r\n--BOUNDARY"
  std::string buffer_ = "\r\n";  // so that a boundary at the very start is one, too
  State state_ = State::preamble;
  std::size_t parts_ = 0;
  absl::Status failed_;
};

}  // namespace plinth::net
