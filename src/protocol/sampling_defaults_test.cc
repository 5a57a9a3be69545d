#include "protocol/sampling_defaults.h"

#include <gtest/gtest.h>

#include <limits>

namespace plinth::protocol {
namespace {

TEST(SamplingDefaults, EveryFieldSetsItsOwnParameter) {
  SamplingParams params;
  double value = 0.25;
  for (const auto name : sampling_default_names()) {
    EXPECT_TRUE(check_sampling_default(name, name == "top_k" ? 20 : value).ok()) << name;
    set_sampling(params, name, name == "top_k" ? 20 : value);
    value += 0.125;
  }
  EXPECT_EQ(params.temperature, 0.25);
  EXPECT_EQ(params.top_p, 0.375);
  EXPECT_EQ(params.top_k, 20);
  EXPECT_EQ(params.min_p, 0.625);
  EXPECT_EQ(params.typical_p, 0.75);
  EXPECT_EQ(params.repetition_penalty, 0.875);
}

TEST(SamplingDefaults, RefusesWhatNoRequestCouldAskFor) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [name, value] :
       std::initializer_list<std::pair<const char*, double>>{{"temperature", -0.1},
                                                             {"temperature", 2.5},
                                                             {"temperature", nan},
                                                             {"top_p", 0},
                                                             {"top_p", 1.5},
                                                             {"top_k", 2.5},
                                                             {"top_k", 1e12},
                                                             {"min_p", nan},
                                                             {"typical_p", 0},
                                                             {"seed", 1},
                                                             {"repetition_penalty", 0}}) {
    const auto status = check_sampling_default(name, value);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name << " " << value;
    EXPECT_NE(base::message(status).find(name), std::string_view::npos);
  }
}

}  // namespace
}  // namespace plinth::protocol
