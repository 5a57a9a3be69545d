#include "api/schema/schema.h"

#include <algorithm>
#include <utility>

namespace plinth::api {

namespace {

Schema of_kind(Kind kind, std::string doc) {
  Schema schema;
  schema.kind = kind;
  schema.doc = std::move(doc);
  return schema;
}

Field of_support(std::string name, Schema schema, Support support) {
  Field field;
  field.name = std::move(name);
  field.schema = std::move(schema);
  field.support = support;
  return field;
}

}  // namespace

Schema Schema::or_else(base::json::value value) const {
  Schema copy = *this;
  copy.fallback = std::move(value);
  return copy;
}

Schema Schema::or_null() const {
  Schema copy = *this;
  copy.null_allowed = true;
  return copy;
}

Schema Schema::length(std::size_t min, std::size_t max) const {
  Schema copy = *this;
  copy.length_min = min;
  copy.length_max = max;
  return copy;
}

const Field* Schema::field(std::string_view field_name) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const Field& field) { return field.name == field_name; });
  return found == fields.end() ? nullptr : &*found;
}

Schema any(std::string doc) { return of_kind(Kind::any, std::move(doc)); }
Schema boolean(std::string doc) { return of_kind(Kind::boolean, std::move(doc)); }
Schema string(std::string doc) { return of_kind(Kind::string, std::move(doc)); }

Schema integer(std::int64_t min, std::int64_t max, std::string doc) {
  Schema schema = of_kind(Kind::integer, std::move(doc));
  schema.integer_min = min;
  schema.integer_max = max;
  return schema;
}

Schema number(double min, double max, std::string doc) {
  Schema schema = of_kind(Kind::number, std::move(doc));
  schema.number_min = min;
  schema.number_max = max;
  return schema;
}

Schema one_string_of(std::vector<std::string> values, std::string doc) {
  Schema schema = of_kind(Kind::string, std::move(doc));
  schema.values = std::move(values);
  return schema;
}

Schema array(Schema items, std::size_t min, std::size_t max, std::string doc) {
  Schema schema = of_kind(Kind::array, std::move(doc));
  schema.parts.push_back(std::move(items));
  return schema.length(min, max);
}

Schema map(Schema values, std::size_t max, std::string doc) {
  Schema schema = of_kind(Kind::map, std::move(doc));
  schema.parts.push_back(std::move(values));
  return schema.length(0, max);
}

Schema object(std::string name, std::vector<Field> fields, std::string doc) {
  Schema schema = of_kind(Kind::object, std::move(doc));
  schema.name = std::move(name);
  schema.fields = std::move(fields);
  return schema;
}

Schema one_of(std::vector<Schema> alternatives, std::string doc) {
  Schema schema = of_kind(Kind::one_of, std::move(doc));
  schema.parts = std::move(alternatives);
  return schema;
}

Schema tagged(std::string tag, std::vector<Schema> alternatives,
              std::vector<std::pair<std::string, std::string>> refused) {
  Schema schema = one_of(std::move(alternatives), "");
  schema.tag = std::move(tag);
  schema.refused = std::move(refused);
  return schema;
}

Field required(std::string name, Schema schema) {
  Field field = of_support(std::move(name), std::move(schema), Support::served);
  field.required = true;
  return field;
}

Field optional(std::string name, Schema schema) {
  return of_support(std::move(name), std::move(schema), Support::served);
}

Field extension(std::string name, Schema schema) {
  return of_support(std::move(name), std::move(schema), Support::extension);
}

Field ignored(std::string name, Schema schema) {
  return of_support(std::move(name), std::move(schema), Support::ignored);
}

Field unsupported(std::string name, std::vector<base::json::value> no_op, std::string reason) {
  Field field =
      of_support(std::move(name), any("Not supported: " + reason + "."), Support::unsupported);
  field.no_op = std::move(no_op);
  field.reason = std::move(reason);
  return field;
}

}  // namespace plinth::api
