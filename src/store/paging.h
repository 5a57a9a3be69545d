// Lists in pages, whose cursor is the id of the last entry that the caller has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/sql.h"

namespace plinth::store {

struct PageRequest {
  std::string after;  // id; "" = from the start. NotFound where there is no such entry
  std::int64_t limit = 20;
  bool descending = false;  // newest first, where a list can be read so
};

template <typename Row>
struct Page {
  std::vector<Row> rows;
  bool has_more = false;
};

// The next number of a table's `seq`. Whoever asks first commits first, so that no number appears
// behind a cursor that has passed it.
std::int64_t next_seq(Sql& sql, const std::string& table);

// The end of a query that reads a page by `column`: " and seq > ? order by seq limit ?", and what
// stands for the first mark where the entry before the page has the number `after` (-1 = none).
struct PageOrder {
  std::string clause;
  std::int64_t bound = -1;
};
PageOrder page_order(const PageRequest& page, const std::string& column, std::int64_t after);

// One row more than asked for tells whether there are more.
template <typename Row>
Page<Row> cut(std::vector<Row> rows, std::int64_t limit) {
  const bool more = static_cast<std::int64_t>(rows.size()) > limit;
  if (more) rows.pop_back();
  return {std::move(rows), more};
}

// The `seq` of the entry before the page, -1 from the start; nothing where `after` does not exist.
std::optional<std::int64_t> seq_of(Sql& sql, const std::string& table, const std::string& after);

}  // namespace plinth::store
