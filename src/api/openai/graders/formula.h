// The formula by which a grader of several makes one number of theirs: + - * / ^, brackets, and
// min, max, abs, floor, ceil, exp, sqrt and log of them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace plinth::api {

// Immutable.
class Formula {
 public:
  // InvalidArgument says where it is wrong.
  static absl::StatusOr<Formula> parse(std::string_view text);

  std::set<std::string> names() const;
  // InvalidArgument where a name has no value, or the result is no finite number.
  absl::StatusOr<double> value(const std::map<std::string, double>& values) const;

 private:
  friend class FormulaParser;
  enum class Kind : unsigned char { number, name, call };
  struct Node {
    Kind kind = Kind::number;
    double number = 0;
    std::string name;               // of a variable, or of what is computed
    std::vector<std::size_t> from;  // nodes before this one
  };
  std::vector<Node> nodes_;  // the last one is the whole
};

}  // namespace plinth::api
