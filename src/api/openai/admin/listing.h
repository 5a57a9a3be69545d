// Lists as the administration API gives them: pages behind a cursor.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/exchange.h"
#include "api/schema/schema.h"
#include "store/paging.h"

namespace plinth::api {

// limit and after, and `more` of the endpoint's own.
Schema page_query(std::vector<Field> more = {});
// `item` in the envelope of a list.
Schema list_schema(const char* name, Schema item);

// The same as OpenAI's newer lists have them, whose cursor is in `next`: longer pages, in either
// order.
Schema next_page_query();
Schema next_list_schema(const char* name, Schema item);
// `next`: the id of the last entry, where there are more.
base::json::object next_list_object(base::json::array data, bool has_more, std::string_view next);

// The page of a list that is whole in memory, by the id of an entry. NotFound for a cursor that is
// none.
template <typename Row>
absl::StatusOr<store::Page<Row>> page_of_list(std::vector<Row> rows,
                                              const store::PageRequest& page) {
  if (page.descending) std::reverse(rows.begin(), rows.end());
  auto begin = rows.begin();
  if (!page.after.empty()) {
    begin = std::find_if(rows.begin(), rows.end(),
                         [&](const Row& row) { return row.id == page.after; });
    if (begin == rows.end()) return base::not_found("No such entry of the list: " + page.after);
    ++begin;
  }
  const bool more = rows.end() - begin > page.limit;
  return store::Page<Row>{{begin, more ? begin + page.limit : rows.end()}, more};
}

// The query of an exchange by its declaration.
absl::StatusOr<base::json::object> read_query(const Exchange& exchange, const Schema& schema);
store::PageRequest page_of(const Schema& schema, const base::json::object& query);

base::json::object list_object(base::json::array data, bool has_more);

template <typename Row, typename ToObject>
base::json::object list_object(const store::Page<Row>& page, const ToObject& to_object) {
  base::json::array data;
  for (const auto& row : page.rows) data.push_back(to_object(row));
  return list_object(std::move(data), page.has_more);
}

// Seconds since 1970, or null.
base::json::value time_or_null(const std::optional<std::int64_t>& time_s);

// {"object": ..., "id": ..., "deleted": true}
Schema deletion_schema(const char* name, const char* kind);
base::json::object deletion_object(const char* kind, const std::string& id);

// The body of an exchange by its declaration.
absl::StatusOr<base::json::object> read_body(const Exchange& exchange, const Schema& schema);

// Sends what comes, or refuses.
void answer(const ExchangePtr& exchange, const absl::StatusOr<base::json::object>& body);

}  // namespace plinth::api
