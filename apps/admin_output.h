// How `plinth admin` shows what the service answers.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace plinth {

// A field as a cell of a table: "-" where it is null or absent, lists with commas.
std::string cell(const base::json::object& object, std::string_view field);
// Seconds since 1970 as UTC.
std::string time_cell(const base::json::object& object, std::string_view field);

// Entries as a table, or as they came.
absl::Status show_entries(
    bool json, const base::json::array& entries, std::vector<std::string> titles,
    const std::function<std::vector<std::string>(const base::json::object&)>& row);
// One object: as JSON, or as a sentence.
absl::Status tell_answer(bool json, const absl::StatusOr<base::json::object>& answer,
                         const std::function<std::string(const base::json::object&)>& sentence);

}  // namespace plinth
