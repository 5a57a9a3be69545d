// One transaction's statements, the same on SQLite and PostgreSQL. Used inside the bodies that
// Database runs: errors are exceptions here, which end in Database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"

namespace plinth::store {

class Statements;

enum class Dialect : std::uint8_t { sqlite, postgresql };

// What stands for one "?" of a statement.
using SqlValue = std::variant<std::nullptr_t, std::int64_t, std::string>;
SqlValue or_null(const std::optional<std::int64_t>& value);
SqlValue or_null(const std::optional<std::string>& value);

// One row of an answer. A column is read as what it was declared to be; null is "" or 0 where the
// caller does not ask for an optional.
class SqlRow {
 public:
  explicit SqlRow(std::vector<std::optional<std::string>> cells) : cells_(std::move(cells)) {}
  std::string text(std::size_t column) const { return cells_.at(column).value_or(""); }
  std::optional<std::string> maybe_text(std::size_t column) const { return cells_.at(column); }
  std::int64_t integer(std::size_t column) const;
  std::optional<std::int64_t> maybe_integer(std::size_t column) const;

 private:
  std::vector<std::optional<std::string>> cells_;
};

class Sql {
 public:
  // `statements`: those of its connection.
  Sql(Statements& statements, Dialect dialect) : statements_(statements), dialect_(dialect) {}
  Dialect dialect() const { return dialect_; }

  // Runs a statement; returns how many rows it changed.
  std::int64_t run(std::string_view statement, const std::vector<SqlValue>& values = {});
  // Runs a statement once for each of the rows, which have the same types in the same places:
  // parsed and prepared once. Returns how many rows each run changed.
  std::vector<std::int64_t> run_for_each(std::string_view statement,
                                         const std::vector<std::vector<SqlValue>>& rows);
  // Reads rows of `columns` columns.
  void each(std::string_view query, const std::vector<SqlValue>& values, std::size_t columns,
            absl::FunctionRef<void(const SqlRow&)> take);
  // The first row, if there is one.
  std::optional<SqlRow> first(std::string_view query, const std::vector<SqlValue>& values,
                              std::size_t columns);

 private:
  Statements& statements_;
  const Dialect dialect_;
};

// "(?,?),(?,?)": the values of so many rows.
std::string row_marks(std::size_t rows, std::size_t columns);

}  // namespace plinth::store
