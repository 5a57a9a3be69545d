#include "api/query.h"

#include <fmt/format.h>

#include <charconv>

#include "api/error_map.h"

namespace plinth::api {

namespace {

// Of one query: past what any client sends, and a URL has a bound of its own.
constexpr std::size_t kParametersMax = 1024;

base::json::value value_of(const std::string& text, const Schema& schema) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  if (schema.kind == Kind::integer) {
    const auto [at, error] = std::from_chars(text.data(), end, number);
    // What is no number stays a text, which the declaration then refuses by name.
    if (error == std::errc() && at == end && !text.empty()) return number;
  }
  if (schema.kind == Kind::map && text == "null") return nullptr;
  if (schema.kind == Kind::boolean && (text == "true" || text == "false")) return text == "true";
  return base::json::string(text);
}

// "name[key]" of a field that is a map; nothing where the name is none of these.
struct MapEntry {
  std::string field, key;
};
std::optional<MapEntry> map_entry(std::string_view name, const Schema& schema) {
  const auto open = name.find('[');
  if (open == std::string_view::npos || !name.ends_with("]")) return std::nullopt;
  MapEntry entry{std::string(name.substr(0, open)),
                 std::string(name.substr(open + 1, name.size() - open - 2))};
  const auto* field = schema.field(entry.field);
  if (field == nullptr || field->schema.kind != Kind::map) return std::nullopt;
  return entry;
}

absl::Status given_twice(std::string_view name) {
  return parameter_error(fmt::format("Invalid '{}': it is given twice.", name), name);
}

}  // namespace

std::string percent_decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    const char* digits = text.data() + i + 1;
    const bool escape = text[i] == '%' && i + 2 < text.size() &&
                        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2;
    out += escape ? static_cast<char>(byte) : plus_is_space && text[i] == '+' ? ' ' : text[i];
    if (escape) i += 2;
  }
  return out;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-_.~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

bool is_text(const std::string& decoded) {
  return decoded.find('\0') == std::string::npos &&
         base::parse_json(base::to_json(base::json::string(decoded))).ok();
}

absl::StatusOr<base::json::object> parse_query(std::string_view query, const Schema& schema,
                                               const ValidateOptions& options) {
  base::json::object out;
  std::size_t count = 0;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query = end == std::string_view::npos ? "" : query.substr(end + 1);
    if (pair.empty()) continue;
    if (++count > kParametersMax)
      return base::invalid_argument("The query has too many parameters.");
    const auto equals = pair.find('=');
    std::string name = percent_decoded(pair.substr(0, equals), true);
    const std::string text =
        equals == std::string_view::npos ? "" : percent_decoded(pair.substr(equals + 1), true);
    if (name.ends_with("[]")) name.resize(name.size() - 2);
    if (!is_text(name) || !is_text(text))
      return base::invalid_argument("The query holds what is no UTF-8 text, or a NUL.");
    const auto* field = schema.field(name);
    if (const auto entry = map_entry(name, schema)) {
      auto& map = out.emplace(entry->field, base::json::object()).first->value();
      if (!map.is_object() || map.get_object().contains(entry->key)) return given_twice(name);
      map.get_object()[entry->key] = text;
    } else if (field != nullptr && field->schema.kind == Kind::array) {
      auto& list = out[name];
      if (!list.is_array()) list = base::json::array();
      list.get_array().push_back(value_of(text, field->schema.parts[0]));
    } else if (out.contains(name)) {
      return given_twice(name);
    } else {
      out[name] = field != nullptr ? value_of(text, field->schema)
                                   : base::json::value(base::json::string(text));
    }
  }
  base::json::value document(std::move(out));
  RETURN_IF_ERROR(validate(schema, document, options));
  return document.get_object();
}

}  // namespace plinth::api
