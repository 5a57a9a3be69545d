// "{{ item.question }} {{ sample.output_text }}": the texts of graders, with what they are asked
// about in them.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace plinth::api {

// What is graded. Immutable.
class GradedSample {
 public:
  // `item` is any JSON value. The sample is also "output_json" where it is JSON.
  GradedSample(base::json::value item, std::string text);

  // NotFound names a variable that there is not; DataLoss says that output_json was asked for and
  // the sample is no JSON. A text stands as it is, everything else as JSON.
  absl::StatusOr<std::string> render(std::string_view text) const;

 private:
  absl::StatusOr<std::string> value_of(std::string_view path) const;

  base::json::value item_, sample_;
};

// InvalidArgument where a "{{" has no "}}", or what is between them can be no variable.
absl::Status check_template(std::string_view text);

}  // namespace plinth::api
