// Tables on standard output.
#pragma once

#include <string>
#include <vector>

namespace plinth {

// Columns as wide as what is in them; the first row holds the titles.
void print_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace plinth
