#include "api/openai/graders/grader_template.h"

#include <fmt/format.h>

#include <charconv>

#include "absl/functional/function_ref.h"

namespace plinth::api {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

// The text's parts in their order: what stands between variables, and variables.
absl::Status walk(std::string_view text, absl::FunctionRef<void(std::string_view)> plain,
                  absl::FunctionRef<absl::Status(std::string_view)> variable) {
  for (;;) {
    const auto open = text.find("{{");
    plain(text.substr(0, open));
    if (open == std::string_view::npos) return absl::OkStatus();
    text.remove_prefix(open + 2);
    const auto close = text.find("}}");
    if (close == std::string_view::npos)
      return base::invalid_argument("a \"{{\" has no \"}}\" behind it");
    RETURN_IF_ERROR(variable(trimmed(text.substr(0, close))));
    text.remove_prefix(close + 2);
  }
}

const base::json::value* below(const base::json::value& value, std::string_view key) {
  if (const auto* object = value.if_object()) return object->if_contains(key);
  const auto* array = value.if_array();
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
  const bool number = error == std::errc() && end == key.data() + key.size();
  return array != nullptr && number && index < array->size() ? &(*array)[index] : nullptr;
}

}  // namespace

GradedSample::GradedSample(base::json::value item, std::string text) : item_(std::move(item)) {
  base::json::object sample{{"output_text", text}};
  if (auto parsed = base::parse_json(text); parsed.ok()) sample["output_json"] = *std::move(parsed);
  sample_ = std::move(sample);
}

absl::StatusOr<std::string> GradedSample::render(std::string_view text) const {
  std::string out;
  RETURN_IF_ERROR(walk(
      text, [&](std::string_view plain) { out += plain; },
      [&](std::string_view path) {
        const auto value = value_of(path);
        if (value.ok()) out += *value;
        return value.status();
      }));
  return out;
}

absl::StatusOr<std::string> GradedSample::value_of(std::string_view path) const {
  const auto first = path.substr(0, path.find('.'));
  const base::json::value* value = first == "item"     ? &item_
                                   : first == "sample" ? &sample_
                                                       : nullptr;
  auto rest = path.substr(first.size());
  while (value != nullptr && !rest.empty()) {
    rest.remove_prefix(1);
    const auto key = rest.substr(0, rest.find('.'));
    rest.remove_prefix(key.size());
    value = below(*value, key);
  }
  if (value == nullptr && path.starts_with("sample.output_json") &&
      !sample_.get_object().contains("output_json"))
    return base::data_loss("the sample is no JSON");
  if (value == nullptr) return base::not_found(fmt::format("there is no variable {}", path));
  return value->is_string() ? std::string(value->get_string()) : base::to_json(*value);
}

absl::Status check_template(std::string_view text) {
  return walk(
      text, [](std::string_view) {},
      [](std::string_view path) {
        const auto first = path.substr(0, path.find('.'));
        if (first == "item" || first == "sample") return absl::OkStatus();
        return base::invalid_argument(fmt::format("{{{{ {} }}}} is none of item and sample", path));
      });
}

}  // namespace plinth::api
