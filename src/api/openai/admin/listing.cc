#include "api/openai/admin/listing.h"

#include "api/openai/chat_completions.h"
#include "api/query.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

// Azure's paths have a parameter of their own.
std::string query_of(const net::HttpRequest& request) {
  std::string out;
  std::string_view rest = request.query;
  while (!rest.empty()) {
    const auto pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.starts_with("api-version=")) continue;
    if (!out.empty()) out += '&';
    out += pair;
  }
  return out;
}

}  // namespace

Schema page_query(std::vector<Field> more) {
  std::vector<Field> fields{
      optional("limit", integer(1, 100, "Entries of one page.").or_else(20)),
      optional("after",
               string("The id of the last entry of the page before.").length(0, 512).or_else(""))};
  for (auto& field : more) fields.push_back(std::move(field));
  return object("", std::move(fields), "");
}

Schema list_schema(const char* name, Schema item) {
  return object(name,
                {required("object", one_string_of({"list"}, "")),
                 required("data", array(std::move(item), 0, SIZE_MAX, "")),
                 required("first_id", string("Of this page.").or_null()),
                 required("last_id", string("The next page's `after`.").or_null()),
                 required("has_more", boolean(""))},
                "");
}

Schema next_page_query() {
  return object(
      "",
      {optional("limit", integer(1, 1000, "Entries of one page.").or_else(100)),
       optional("after", string("`next` of the page before.").length(0, 512).or_else("")),
       optional("order", one_string_of({"asc", "desc"}, "Oldest or newest first.").or_else("asc"))},
      "");
}

Schema next_list_schema(const char* name, Schema item) {
  return object(
      name,
      {required("object", one_string_of({"list"}, "")),
       required("data", array(std::move(item), 0, SIZE_MAX, "")), required("has_more", boolean("")),
       required("next", string("The next page's `after`.").or_null())},
      "");
}

base::json::object next_list_object(base::json::array data, bool has_more, std::string_view next) {
  base::json::value cursor;
  if (has_more) cursor = base::json::string(next);
  return {{"object", "list"}, {"data", std::move(data)}, {"has_more", has_more}, {"next", cursor}};
}

absl::StatusOr<base::json::object> read_query(const Exchange& exchange, const Schema& schema) {
  const auto& request = exchange.request();
  return parse_query(exchange.dialect == Dialect::azure ? query_of(request) : request.query, schema,
                     exchange.services().validation());
}

store::PageRequest page_of(const Schema& schema, const base::json::object& query) {
  const Values values(schema, query);
  const bool descending = schema.field("order") != nullptr && values.string("order") == "desc";
  return {std::string(values.string("after")), values.integer("limit"), descending};
}

base::json::object list_object(base::json::array data, bool has_more) {
  base::json::value first, last;
  if (!data.empty()) {
    first = data.front().at("id");
    last = data.back().at("id");
  }
  return {{"object", "list"},
          {"data", std::move(data)},
          {"first_id", first},
          {"last_id", last},
          {"has_more", has_more}};
}

base::json::value time_or_null(const std::optional<std::int64_t>& time_s) {
  return time_s ? base::json::value(*time_s) : base::json::value(nullptr);
}

Schema deletion_schema(const char* name, const char* kind) {
  return object(name,
                {required("object", one_string_of({kind}, "")), required("id", string("")),
                 required("deleted", boolean(""))},
                "");
}

base::json::object deletion_object(const char* kind, const std::string& id) {
  return {{"object", kind}, {"id", id}, {"deleted", true}};
}

absl::StatusOr<base::json::object> read_body(const Exchange& exchange, const Schema& schema) {
  ASSIGN_OR_RETURN(auto body,
                   parse_body(exchange.request().body, schema, exchange.services().validation()));
  return body.get_object();
}

void answer(const ExchangePtr& exchange, const absl::StatusOr<base::json::object>& body) {
  if (!body.ok()) return exchange->refuse(body.status());
  exchange->send_json(*body);
}

}  // namespace plinth::api
