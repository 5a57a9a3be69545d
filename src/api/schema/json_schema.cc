#include "api/schema/json_schema.h"

#include <fmt/format.h>

namespace plinth::api {

namespace {

using base::json::array;
using Object = base::json::object;

class Writer {
 public:
  Writer(const ValidateOptions& options, Object& components)
      : options_(options), components_(components) {}

  Object write(const Schema& schema) {
    Object out = schema.kind == Kind::object && !schema.name.empty() ? reference(schema)
                                                                     : inline_form(schema);
    if (schema.null_allowed) allow_null(out);
    if (schema.fallback) out["default"] = *schema.fallback;
    return out;
  }

 private:
  Object reference(const Schema& schema) {
    if (!components_.contains(schema.name)) {
      components_[schema.name] = nullptr;  // in work: a schema may refer to itself
      components_[schema.name] = inline_form(schema);
    }
    return {{"$ref", "#/components/schemas/" + schema.name}};
  }

  Object inline_form(const Schema& schema) {
    Object out;
    if (!schema.doc.empty()) out["description"] = schema.doc;
    switch (schema.kind) {
      case Kind::any:
        break;
      case Kind::boolean:
        out["type"] = "boolean";
        break;
      case Kind::integer:
        out["type"] = "integer";
        out["minimum"] = schema.integer_min;
        out["maximum"] = schema.integer_max;
        break;
      case Kind::number:
        out["type"] = "number";
        if (schema.number_min > -1e308) out["minimum"] = schema.number_min;
        if (schema.number_max < 1e308) out["maximum"] = schema.number_max;
        break;
      case Kind::string:
        out["type"] = "string";
        if (!schema.values.empty()) out["enum"] = array(schema.values.begin(), schema.values.end());
        bound(out, schema, "minLength", "maxLength");
        break;
      case Kind::array:
        out["type"] = "array";
        out["items"] = write(schema.parts[0]);
        bound(out, schema, "minItems", "maxItems");
        break;
      case Kind::map:
        out["type"] = "object";
        out["additionalProperties"] = write(schema.parts[0]);
        if (schema.token_keys) out["propertyNames"] = {{"pattern", "^[0-9]{1,10}$"}};
        bound(out, schema, "minProperties", "maxProperties");
        break;
      case Kind::object:
        fields(out, schema);
        break;
      case Kind::one_of: {
        array parts;
        for (const Schema& part : schema.parts) parts.push_back(write(part));
        out["anyOf"] = std::move(parts);
        break;
      }
    }
    return out;
  }

  static void bound(Object& out, const Schema& schema, const char* min, const char* max) {
    if (schema.length_min > 0) out[min] = schema.length_min;
    if (schema.length_max < SIZE_MAX) out[max] = schema.length_max;
  }

  void fields(Object& out, const Schema& schema) {
    const bool request = options_.direction == Direction::request;
    out["type"] = "object";
    Object properties;
    array required;
    for (const Field& field : schema.fields) {
      Object property = field.support == Support::unsupported ? no_op(field) : write(field.schema);
      if (request && !field.required && field.support != Support::unsupported) allow_null(property);
      if (field.support != Support::served) property["x-plinth-support"] = support_name(field);
      properties[field.name] = std::move(property);
      if (field.required) required.push_back(base::json::string(field.name));
    }
    out["properties"] = std::move(properties);
    if (!required.empty()) out["required"] = std::move(required);
    if (request && !options_.ignore_unknown_fields) out["additionalProperties"] = false;
  }

  static Object no_op(const Field& field) {
    array values(field.no_op.begin(), field.no_op.end());
    values.push_back(nullptr);
    return {{"description", field.schema.doc}, {"enum", std::move(values)}};
  }

  static const char* support_name(const Field& field) {
    switch (field.support) {
      case Support::served:
        return "served";
      case Support::extension:
        return "extension";
      case Support::ignored:
        return "ignored";
      case Support::unsupported:
        return "unsupported";
    }
    return "served";
  }

  static void allow_null(Object& out) {
    if (auto* type = out.if_contains("type"); type != nullptr && type->is_string()) {
      *type = array{*type, "null"};
      if (auto* values = out.if_contains("enum")) values->get_array().push_back(nullptr);
      return;
    }
    if (auto* parts = out.if_contains("anyOf")) {
      parts->get_array().push_back(Object{{"type", "null"}});
      return;
    }
    if (!out.contains("$ref")) return;  // any: null is a value already
    Object wrapped;
    wrapped["anyOf"] = array{Object{{"$ref", out["$ref"]}}, Object{{"type", "null"}}};
    out = std::move(wrapped);
  }

  const ValidateOptions options_;
  Object& components_;
};

}  // namespace

base::json::value json_schema(const Schema& schema, const ValidateOptions& options,
                              base::json::object& components) {
  return Writer(options, components).write(schema);
}

}  // namespace plinth::api
