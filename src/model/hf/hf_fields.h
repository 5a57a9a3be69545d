// Typed, bounded look-ups in a config.json. A field that is null counts as absent.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace plinth::model {

class HfFields {
 public:
  // path: of the object inside the document, for errors ("config.json: rope_scaling.").
  HfFields(const base::json::object& object, std::string path)
      : object_(object), path_(std::move(path)) {}

  bool has(std::string_view name) const { return find(name) != nullptr; }
  // Also where it is null.
  bool mentions(std::string_view name) const { return object_.contains(name); }
  const base::json::value* find(std::string_view name) const;
  // A whole number in 1..max.
  absl::StatusOr<std::int32_t> count(std::string_view name, std::int64_t max) const;
  absl::StatusOr<std::int32_t> count_or(std::string_view name, std::int64_t max,
                                        std::int32_t otherwise) const;
  // In (min, max].
  absl::StatusOr<double> number_or(std::string_view name, double min, double max,
                                   double otherwise) const;
  absl::StatusOr<bool> flag_or(std::string_view name, bool otherwise) const;
  absl::StatusOr<std::string> text_or(std::string_view name, std::string otherwise) const;
  absl::StatusOr<std::vector<double>> numbers_or_empty(std::string_view name) const;
  absl::Status wrong(std::string_view name, std::string_view wanted) const;
  std::string path_of(std::string_view name) const { return path_ + std::string(name); }

 private:
  const base::json::object& object_;
  const std::string path_;
};

}  // namespace plinth::model
