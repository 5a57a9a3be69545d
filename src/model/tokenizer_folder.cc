#include "model/tokenizer_folder.h"

#include <functional>

#include "base/file.h"
#include "model/limits.h"
#include "model/tokenize/tokenizer_json.h"

namespace plinth::model {

namespace {

// A file that is not there is passed over.
absl::Status with_json(const std::string& path,
                       const std::function<absl::Status(const base::json::value&)>& use) {
  const auto text = base::read_file(path, kConfigFileBytesMax);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  RETURN_IF_ERROR(text.status());
  const auto document = base::parse_json(*text);
  if (!document.ok()) return base::annotate(document.status(), path);
  return base::annotate(use(*document), path);
}

}  // namespace

absl::StatusOr<TokenizerSpec> read_tokenizer_folder(const std::string& folder) {
  const std::string path = folder + "/tokenizer.json";
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, kTokenizerFileBytesMax));
  auto spec = parse_tokenizer_json(text);
  if (!spec.ok()) return base::annotate(spec.status(), path);
  const auto config = [&](const base::json::value& json) {
    return apply_tokenizer_config(json, *spec);
  };
  RETURN_IF_ERROR(with_json(folder + "/special_tokens_map.json", config));
  RETURN_IF_ERROR(with_json(folder + "/tokenizer_config.json", config));
  RETURN_IF_ERROR(with_json(folder + "/generation_config.json", [&](const auto& json) {
    return apply_generation_config(json, *spec);
  }));
  return spec;
}

absl::StatusOr<std::string> read_chat_template(const std::string& folder) {
  auto own = base::read_file(folder + "/chat_template.jinja", kStringBytesMax);
  if (!absl::IsNotFound(own.status())) return own;
  std::string found;
  RETURN_IF_ERROR(with_json(
      folder + "/tokenizer_config.json", [&](const base::json::value& json) -> absl::Status {
        const auto* object = json.if_object();
        const auto* field = object == nullptr ? nullptr : object->if_contains("chat_template");
        if (field == nullptr || field->is_null()) return absl::OkStatus();
        if (const auto* text = field->if_string()) {
          found = std::string(*text);
          return absl::OkStatus();
        }
        const auto* several = field->if_array();
        if (several == nullptr) return base::invalid_argument("chat_template is no string");
        for (const auto& entry : *several) {
          const auto* named = entry.if_object();
          const auto* name = named == nullptr ? nullptr : named->if_contains("name");
          const auto* text = named == nullptr ? nullptr : named->if_contains("template");
          if (name == nullptr || !name->is_string() || text == nullptr || !text->is_string())
            return base::invalid_argument("chat_template has an entry without name and template");
          if (name->get_string() == "default") found = std::string(text->get_string());
        }
        return absl::OkStatus();
      }));
  return found;
}

}  // namespace plinth::model
