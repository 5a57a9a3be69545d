// A JSON body declared once, as data: the declaration checks requests (validate.h), gives readers
// their defaults (values.h) and writes the OpenAPI document (json_schema.h).
//
//   const Schema request = object("CreateThing", {
//       required("model", string("What to call.")),
//       optional("n", integer(1, 128, "Choices.").or_else(1)),
//       extension("top_k", integer(0, 4096, "Keep the best k tokens; 0 = off.").or_else(0)),
//       unsupported("audio", {}, "no model here speaks"),
//   }, "One thing.");
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace plinth::api {

enum class Kind : std::uint8_t {
  any,
  boolean,
  integer,
  number,
  string,
  array,
  object,
  map,     // an object with free keys and values of one schema
  one_of,  // alternatives told apart by their JSON type, or by `tag`
};

struct Field;

struct Schema {
  Kind kind = Kind::any;
  std::string doc;
  // string: its values; empty = any.
  std::vector<std::string> values;
  // integer: inclusive bounds.
  std::int64_t integer_min = INT64_MIN, integer_max = INT64_MAX;
  // number: inclusive bounds.
  double number_min = -1e308, number_max = 1e308;
  // string: Unicode characters. array: items. map: entries.
  std::size_t length_min = 0, length_max = SIZE_MAX;
  // array, map: one, of the items. one_of: the alternatives.
  std::vector<Schema> parts;
  // object
  std::string name;  // its name among the document's components; empty = written in place
  std::vector<Field> fields;
  // one_of over objects: the string field whose value tells them apart, and values of it that
  // OpenAI knows and this server refuses, each with its reason.
  std::string tag;
  std::vector<std::pair<std::string, std::string>> refused;
  bool token_keys = false;    // map: keys are token ids
  bool null_allowed = false;  // answers: null is a value. Requests: an absent field may be null.
  bool terse_ranges = false;  // object: bounds of its fields in the older endpoints' words
  std::optional<base::json::value> fallback;  // what an absent field means

  Schema or_else(base::json::value value) const;
  Schema or_null() const;
  Schema length(std::size_t min, std::size_t max) const;
  const Field* field(std::string_view field_name) const;
};

// What the server does with a field of a request.
enum class Support : std::uint8_t {
  served,
  extension,    // served; OpenAI has no such field
  ignored,      // checked and of no effect on the answer
  unsupported,  // refused by name, unless absent, null or one of no_op
};

struct Field {
  std::string name;
  Schema schema;
  bool required = false;
  Support support = Support::served;
  std::vector<base::json::value> no_op;  // values of an unsupported field that change nothing
  std::string reason;                    // why it is unsupported, for the error and the docs
};

Schema any(std::string doc);
Schema boolean(std::string doc);
Schema integer(std::int64_t min, std::int64_t max, std::string doc);
Schema number(double min, double max, std::string doc);
Schema string(std::string doc);
Schema one_string_of(std::vector<std::string> values, std::string doc);
Schema array(Schema items, std::size_t min, std::size_t max, std::string doc);
Schema map(Schema values, std::size_t max, std::string doc);
Schema object(std::string name, std::vector<Field> fields, std::string doc);
Schema one_of(std::vector<Schema> alternatives, std::string doc);
// Objects told apart by the value of their string field `tag`.
Schema tagged(std::string tag, std::vector<Schema> alternatives,
              std::vector<std::pair<std::string, std::string>> refused = {});

Field required(std::string name, Schema schema);
Field optional(std::string name, Schema schema);
Field extension(std::string name, Schema schema);
Field ignored(std::string name, Schema schema);
Field unsupported(std::string name, std::vector<base::json::value> no_op, std::string reason);

}  // namespace plinth::api
