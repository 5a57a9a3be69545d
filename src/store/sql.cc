#include "store/sql.h"

#include <charconv>
#include <stdexcept>

#include "store/statements.h"

namespace plinth::store {

namespace {

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
  Statements::Use prepared(statements_, statement, values, 0);
  prepared->execute();
  const auto changed = prepared->changed();
  prepared.over();
  return changed;
}

std::vector<std::int64_t> Sql::run_for_each(std::string_view statement,
                                            const std::vector<std::vector<SqlValue>>& rows) {
  std::vector<std::int64_t> changed;
  if (rows.empty()) return changed;
  Statements::Use prepared(statements_, statement, rows[0], 0);
  for (const auto& row : rows) {
    prepared->set(row);
    prepared->execute();
    changed.push_back(prepared->changed());
  }
  prepared.over();
  return changed;
}

void Sql::each(std::string_view query, const std::vector<SqlValue>& values, std::size_t columns,
               absl::FunctionRef<void(const SqlRow&)> take) {
  Statements::Use prepared(statements_, query, values, columns);
  for (bool more = prepared->execute(); more; more = prepared->fetch()) take(prepared->row());
  prepared.over();
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
