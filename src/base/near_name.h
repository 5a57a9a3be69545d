// "did you mean": the known name nearest to a mistyped one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plinth::base {

// "; did you mean engine.ctx?" where a known name is within a third of its length in edits
// (a swap of neighbours is one), else "".
std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace plinth::base
