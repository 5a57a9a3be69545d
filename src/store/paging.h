// Lists in pages, whose cursor is the id of the last entry that the caller has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/sql.h"

namespace plinth::store {

struct PageRequest {
  std::string after;  // id; "" = from the start. NotFound where there is no such entry
  std::int64_t limit = 20;
};

template <typename Row>
struct Page {
  std::vector<Row> rows;
  bool has_more = false;
};

// The next number of a table's `seq`. Whoever asks first commits first, so that no number appears
// behind a cursor that has passed it.
std::int64_t next_seq(Sql& sql, const std::string& table);

// The `seq` of the entry before the page, -1 from the start; nothing where `after` does not exist.
std::optional<std::int64_t> seq_of(Sql& sql, const std::string& table, const std::string& after);

}  // namespace plinth::store
