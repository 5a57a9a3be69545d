#include "store/sql.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <charconv>
#include <stdexcept>

namespace plinth::store {

namespace {

// SOCI names its parameters. No statement of ours has a "?" that is no parameter.
std::string with_names(std::string_view statement, std::size_t values) {
  std::string out;
  std::size_t at = 0;
  for (const char c : statement) {
    if (c == '?') {
      fmt::format_to(std::back_inserter(out), ":v{}", at++);
    } else {
      out += c;
    }
  }
  if (at != values) {
    throw std::logic_error(fmt::format("{} values for {} marks: {}", values, at, statement));
  }
  return out;
}

// Binds values, which stay where they are while the statement lives.
class Bound {
 public:
  explicit Bound(const std::vector<SqlValue>& values) : slots_(values.size()) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      auto& slot = slots_[i];
      if (const auto* number = std::get_if<std::int64_t>(&values[i])) slot.number = *number;
      if (const auto* text = std::get_if<std::string>(&values[i])) slot.text = *text;
      // PostgreSQL has no such text, and its client library would end it there.
      if (slot.text.find('\0') != std::string::npos)
        throw std::invalid_argument("a text holds a zero byte (\\u0000)");
      slot.is_text = !std::holds_alternative<std::int64_t>(values[i]);
      slot.state = std::holds_alternative<std::nullptr_t>(values[i]) ? soci::i_null : soci::i_ok;
    }
  }
  void bind(soci::statement& statement) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      auto& slot = slots_[i];
      const std::string name = fmt::format("v{}", i);
      if (slot.is_text) {
        statement.exchange(soci::use(slot.text, slot.state, name));
      } else {
        statement.exchange(soci::use(slot.number, slot.state, name));
      }
    }
  }

 private:
  struct Slot {
    std::string text;
    long long number = 0;
    bool is_text = false;
    soci::indicator state = soci::i_ok;
  };
  std::vector<Slot> slots_;
};

std::int64_t parsed(const std::string& text) {
  std::int64_t value = 0;
  const auto end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end) throw std::runtime_error("no 64-bit integer: " + text);
  return value;
}

}  // namespace

SqlValue or_null(const std::optional<std::int64_t>& value) {
  return value ? SqlValue(*value) : SqlValue(nullptr);
}
SqlValue or_null(const std::optional<std::string>& value) {
  return value ? SqlValue(*value) : SqlValue(nullptr);
}

std::int64_t SqlRow::integer(std::size_t column) const {
  const auto& cell = cells_.at(column);
  return cell ? parsed(*cell) : 0;
}

std::optional<std::int64_t> SqlRow::maybe_integer(std::size_t column) const {
  const auto& cell = cells_.at(column);
  return cell ? std::optional(parsed(*cell)) : std::nullopt;
}

std::int64_t Sql::run(std::string_view statement, const std::vector<SqlValue>& values) {
  Bound bound(values);
  soci::statement prepared(session_);
  bound.bind(prepared);
  prepared.alloc();
  prepared.prepare(with_names(statement, values.size()));
  prepared.define_and_bind();
  prepared.execute(true);
  return prepared.get_affected_rows();
}

void Sql::each(std::string_view query, const std::vector<SqlValue>& values, std::size_t columns,
               absl::FunctionRef<void(const SqlRow&)> take) {
  Bound bound(values);
  std::vector<std::string> cells(columns);
  std::vector<soci::indicator> states(columns, soci::i_null);
  soci::statement prepared(session_);
  // As text: what SOCI makes of an integer depends on how the column was declared.
  for (std::size_t i = 0; i < columns; ++i) {
    prepared.exchange(soci::into(cells[i], states[i]));
  }
  bound.bind(prepared);
  prepared.alloc();
  prepared.prepare(with_names(query, values.size()));
  prepared.define_and_bind();
  for (bool more = prepared.execute(true); more; more = prepared.fetch()) {
    std::vector<std::optional<std::string>> row(columns);
    for (std::size_t i = 0; i < columns; ++i) {
      if (states[i] == soci::i_ok) row[i] = cells[i];
    }
    take(SqlRow(std::move(row)));
  }
}

std::optional<SqlRow> Sql::first(std::string_view query, const std::vector<SqlValue>& values,
                                 std::size_t columns) {
  std::optional<SqlRow> found;
  each(query, values, columns, [&](const SqlRow& row) {
    if (!found) found = row;
  });
  return found;
}

std::string row_marks(std::size_t rows, std::size_t columns) {
  std::string one = "(";
  for (std::size_t i = 0; i < columns; ++i) one += i == 0 ? "?" : ",?";
  one += ")";
  std::string all;
  for (std::size_t i = 0; i < rows; ++i) all += (i == 0 ? "" : ",") + one;
  return all;
}

}  // namespace plinth::store
