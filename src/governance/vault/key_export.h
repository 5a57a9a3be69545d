// The key store in a file: a line for each data key, as JSON.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "store/data_key_store.h"

namespace plinth::governance {

std::string key_line(const store::DataKeyRow& row);
// InvalidArgument where it is none.
absl::StatusOr<store::DataKeyRow> parse_key_line(std::string_view line);

}  // namespace plinth::governance
