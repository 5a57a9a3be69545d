#include "net/multipart_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/header_parameters.h"

namespace plinth::net {

namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kBlankLine = "\r\n\r\n";

absl::Status malformed(std::string_view what) {
  return base::invalid_argument(fmt::format("Malformed multipart body: {}.", what));
}

// RFC 2046, section 5.1.1.
bool is_boundary(std::string_view text) {
  constexpr std::string_view kPunctuation = "'()+_,-./:=? ";
  return !text.empty() && text.size() <= kMultipartBoundaryMax && !text.ends_with(' ') &&
         std::all_of(text.begin(), text.end(), [&](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  kPunctuation.find(static_cast<char>(c)) != std::string_view::npos;
         });
}

absl::Status read_disposition(std::string_view value, MultipartPart& part) {
  ASSIGN_OR_RETURN(const auto header, parse_header_value(value));
  if (header.value != "form-data") return malformed("a part is no form-data");
  for (const auto& [name, text] : header.parameters) {
    if (name == "name") part.name = text;
    if (name == "filename" && !part.filename) part.filename = text;
    // RFC 5987; says it better than the plain one.
    if (name == "filename*") {
      ASSIGN_OR_RETURN(part.filename, decode_extended_value(text));
    }
  }
  return absl::OkStatus();
}

absl::Status read_header(std::string_view line, MultipartPart& part, bool& has_disposition) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return malformed("a header without a name");
  const auto name = lower_case(line.substr(0, colon));
  const auto value = trimmed(line.substr(colon + 1));
  if (!is_printable(name) || name.find(' ') != std::string::npos)
    return malformed("a header's name is none");
  if (name == "content-disposition") {
    if (std::exchange(has_disposition, true)) return malformed("a part with two dispositions");
    return read_disposition(value, part);
  }
  if (name == "content-type") part.content_type = value;
  if (name == "content-transfer-encoding") {
    const auto encoding = lower_case(value);
    if (encoding != "binary" && encoding != "8bit" && encoding != "7bit")
      return malformed("parts are sent as they are, without a transfer encoding");
  }
  return absl::OkStatus();
}

absl::StatusOr<MultipartPart> read_part(std::string_view head) {
  MultipartPart part;
  bool has_disposition = false;
  std::size_t count = 0;
  while (!head.empty()) {
    const auto end = head.find(kLineEnd);
    const auto line = head.substr(0, end);
    head = end == std::string_view::npos ? "" : head.substr(end + kLineEnd.size());
    if (++count > kMultipartHeadersMax) return malformed("a part has too many headers");
    RETURN_IF_ERROR(read_header(line, part, has_disposition));
  }
  if (part.name.empty()) return malformed("a part without a name");
  if (part.name.size() > kMultipartNameMax) return malformed("a part's name is too long");
  if (!is_printable(part.name) || !is_printable(part.content_type) ||
      (part.filename && !is_printable(*part.filename)))
    return malformed("a part's name is no text");
  return part;
}

}  // namespace

absl::StatusOr<MultipartReader> MultipartReader::open(std::string_view content_type,
                                                      MultipartSink& sink) {
  const auto header = parse_header_value(content_type);
  if (!header.ok() || header->value != "multipart/form-data")
    return base::invalid_argument("Expected a body of the type multipart/form-data.");
  const auto& all = header->parameters;
  const auto is_named = [](const auto& parameter) { return parameter.first == "boundary"; };
  const auto found = std::find_if(all.begin(), all.end(), is_named);
  if (found == all.end() || std::count_if(all.begin(), all.end(), is_named) > 1 ||
      !is_boundary(found->second))
    return base::invalid_argument("The content type names no boundary of the parts.");
  return MultipartReader("\r\n--" + found->second, sink);
}

absl::Status MultipartReader::feed(std::string_view piece) {
  if (!failed_.ok()) return failed_;
  buffer_.append(piece);
  std::string_view rest = buffer_;
  for (bool more = true; more;) {
    const auto advanced = advance(rest);
    if (!advanced.ok()) {
      buffer_ = {};
      return failed_ = advanced.status();
    }
    more = *advanced;
  }
  buffer_.erase(0, buffer_.size() - rest.size());
  return absl::OkStatus();
}

absl::Status MultipartReader::finish() {
  if (!failed_.ok() || state_ == State::epilogue) return failed_;
  return failed_ = malformed("it ends before its last boundary");
}

absl::StatusOr<bool> MultipartReader::advance(std::string_view& rest) {
  switch (state_) {
    case State::preamble:
    case State::body:
      return read_bytes(rest);
    case State::boundary:
      return read_boundary(rest);
    case State::headers:
      return read_headers(rest);
    case State::epilogue:
      break;
  }
  rest = {};
  return false;
}

absl::StatusOr<bool> MultipartReader::read_bytes(std::string_view& rest) {
  const bool is_body = state_ == State::body;
  const auto at = rest.find(delimiter_);
  const bool found = at != std::string_view::npos;
  // The end may be the beginning of a boundary.
  const auto kept = std::min(rest.size(), delimiter_.size() - 1);
  const auto bytes = rest.substr(0, found ? at : rest.size() - kept);
  if (is_body && !bytes.empty()) RETURN_IF_ERROR(sink_->on_data(bytes));
  rest.remove_prefix(bytes.size());
  if (!found) return false;
  rest.remove_prefix(delimiter_.size());
  if (is_body) RETURN_IF_ERROR(sink_->on_part_end());
  state_ = State::boundary;
  return true;
}

absl::StatusOr<bool> MultipartReader::read_boundary(std::string_view& rest) {
  if (rest.size() < 2) return false;
  if (rest.starts_with("--")) {
    state_ = State::epilogue;
    return true;
  }
  const auto end = rest.find(kLineEnd);
  const auto padding = rest.substr(0, end);
  if (padding.size() > kMultipartPaddingMax || padding.find_first_not_of(" \t\r") != padding.npos)
    return malformed("a boundary's line goes on");
  if (end == std::string_view::npos) return false;
  rest.remove_prefix(end + kLineEnd.size());
  if (++parts_ > kMultipartPartsMax) return malformed("it has too many parts");
  state_ = State::headers;
  return true;
}

absl::StatusOr<bool> MultipartReader::read_headers(std::string_view& rest) {
  const auto end = rest.find(kBlankLine);
  if (std::min(end, rest.size()) > kMultipartHeaderBytesMax)
    return malformed("a part's headers are too large");
  // A blank line at once would be a part without a name.
  if (rest.starts_with(kLineEnd)) return malformed("a part without headers");
  if (end == std::string_view::npos) return false;
  ASSIGN_OR_RETURN(auto part, read_part(rest.substr(0, end)));
  rest.remove_prefix(end + kBlankLine.size());
  RETURN_IF_ERROR(sink_->on_part(std::move(part)));
  state_ = State::body;
  return true;
}

}  // namespace plinth::net
