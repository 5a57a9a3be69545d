#include "governance/reports/csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "governance/limits.h"

namespace plinth::governance {

namespace {

// Takes one row off the document.
class RowReader {
 public:
  RowReader(std::string_view document, std::size_t& at, std::size_t& line)
      : document_(document), at_(at), line_(line) {}

  absl::StatusOr<std::vector<CsvCell>> read() {
    const auto begin = at_, first_line = line_;
    std::vector<CsvCell> cells;
    for (;;) {
      ASSIGN_OR_RETURN(auto cell, read_cell());
      cells.push_back(std::move(cell));
      if (at_ - begin > kCsvRowBytesMax) {
        return base::invalid_argument(fmt::format("[csv] line {}: a row has more than {} bytes",
                                                  first_line, kCsvRowBytesMax));
      }
      if (at_ < document_.size() && document_[at_] == ',') {
        ++at_;
        continue;
      }
      end_line();
      return cells;
    }
  }

 private:
  absl::StatusOr<CsvCell> read_cell() {
    if (at_ < document_.size() && document_[at_] == '"') return read_quoted();
    const auto end = std::min(document_.find_first_of(",\r\n\"", at_), document_.size());
    if (end < document_.size() && document_[end] == '"') return bad("a quote inside a cell");
    std::string text(document_.substr(at_, end - at_));
    at_ = end;
    return text.empty() ? CsvCell() : CsvCell(std::move(text));
  }

  absl::StatusOr<CsvCell> read_quoted() {
    std::string text;
    for (++at_;; ++at_) {
      if (at_ >= document_.size()) return bad("a quote that is never closed");
      const char c = document_[at_];
      if (c == '"') {
        if (at_ + 1 >= document_.size() || document_[at_ + 1] != '"') break;
        ++at_;
      }
      if (c == '\n') ++line_;
      text += c;
    }
    ++at_;
    if (at_ < document_.size() &&
        std::string_view(",\r\n").find(document_[at_]) == std::string_view::npos) {
      return bad("something behind a closing quote");
    }
    return CsvCell(std::move(text));
  }

  void end_line() {
    if (at_ < document_.size() && document_[at_] == '\r') ++at_;
    if (at_ < document_.size() && document_[at_] == '\n') ++at_;
    ++line_;
  }

  absl::Status bad(std::string_view what) const {
    return base::invalid_argument(fmt::format("[csv] line {}: {}", line_, what));
  }

  const std::string_view document_;
  std::size_t& at_;
  std::size_t& line_;
};

}  // namespace

std::string csv_row(const std::vector<CsvCell>& cells) {
  std::string row;
  for (const auto& cell : cells) {
    if (!row.empty() || &cell != &cells.front()) row += ',';
    if (!cell) continue;
    if (!cell->empty() && cell->find_first_of(",\"\r\n") == std::string::npos) {
      row += *cell;
      continue;
    }
    row += '"';
    for (const char c : *cell) row += c == '"' ? std::string("\"\"") : std::string(1, c);
    row += '"';
  }
  return row + "\r\n";
}

std::string csv_text(std::string_view text) {
  const bool formula =
      !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
  return (formula ? "'" : "") + std::string(text);
}

absl::Status read_csv(
    std::string_view document,
    const std::function<absl::Status(std::size_t line, const std::vector<CsvCell>&)>& take) {
  std::size_t at = 0, line = 1;
  while (at < document.size()) {
    const auto first_line = line;
    ASSIGN_OR_RETURN(const auto cells, RowReader(document, at, line).read());
    RETURN_IF_ERROR(take(first_line, cells));
  }
  return absl::OkStatus();
}

}  // namespace plinth::governance
