// Typed look-ups in a JSON object of a model's folder; errors name the field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace plinth::model {

// A field with the place it stands at: "pre_tokenizer.pretokenizers[1]".
class JsonField {
 public:
  JsonField(const base::json::value& value, std::string path)
      : value_(&value), path_(std::move(path)) {}
  const std::string& path() const { return path_; }
  const base::json::value& value() const { return *value_; }
  absl::Status wrong(std::string_view what) const;

  absl::Status expect_object() const;
  // nullopt where the member is absent or null.
  std::optional<JsonField> member(std::string_view name) const;
  absl::StatusOr<JsonField> required(std::string_view name) const;
  absl::StatusOr<JsonField> element(std::size_t index) const;
  absl::StatusOr<const base::json::array*> array() const;
  absl::StatusOr<std::string> text() const;
  absl::StatusOr<std::int64_t> integer() const;
  // The member as that type; `otherwise` where it is absent or null.
  absl::StatusOr<bool> flag(std::string_view name, bool otherwise) const;
  absl::StatusOr<std::string> text(std::string_view name, std::string otherwise) const;
  absl::StatusOr<std::int64_t> integer(std::string_view name, std::int64_t otherwise) const;

 private:
  const base::json::value* value_;
  std::string path_;
};

}  // namespace plinth::model
