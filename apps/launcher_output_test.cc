#include "apps/launcher_output.h"

#include <gtest/gtest.h>

namespace plinth {
namespace {

// What Open MPI 4.1 writes.
constexpr char kBorder[] =
    "--------------------------------------------------------------------------\n";
const std::string kKilled =
    std::string(kBorder) +
    "Primary job  terminated normally, but 1 process returned\n"
    "a non-zero exit code. Per user-direction, the job has been aborted.\n" +
    kBorder + kBorder +
    "mpirun noticed that process rank 3 with PID 0 on node vm exited on signal 9 (Killed).\n" +
    kBorder;
const std::string kFailed =
    std::string(kBorder) +
    "Primary job  terminated normally, but 1 process returned\n"
    "a non-zero exit code. Per user-direction, the job has been aborted.\n" +
    kBorder + kBorder +
    "mpirun detected that one or more processes exited with non-zero status, thus causing\n"
    "the job to be terminated. The first process to do so was:\n\n"
    "  Process name: [[3034,1],1]\n  Exit code:    1\n" +
    kBorder;

TEST(LauncherOutput, NamesTheRankThatDied) {
  LauncherOutput output;
  EXPECT_EQ(output.take("step 1\nste"), "step 1\n");
  EXPECT_EQ(output.take("p 2\n" + kKilled + "step 3\n"), "step 2\nstep 3\n");
  const auto error = output.error(0);
  EXPECT_TRUE(absl::IsAborted(error));
  EXPECT_TRUE(base::message(error).starts_with("rank 3 was ended by signal 9 (Killed): the others"))
      << error;
}

TEST(LauncherOutput, SaysNothingOnceMoreThatARankHasSaid) {
  LauncherOutput output;
  EXPECT_EQ(output.take("mpirun: Forwarding signal 10 to job\nplinth: no text\n" + kFailed),
            "plinth: no text\n");
  EXPECT_TRUE(absl::IsAborted(output.error(0)) && output.error(0).message().empty());
}

TEST(LauncherOutput, LeavesMpirunItsWordsWhereNobodyElseSaidWhy) {
  LauncherOutput output;
  EXPECT_EQ(output.take(std::string(kBorder) + "There are not enough slots\n" + kBorder), "");
  EXPECT_EQ(base::message(output.error(0)), "mpirun failed: There are not enough slots\n");
  LauncherOutput silent;
  EXPECT_TRUE(base::message(silent.error(15)).starts_with("mpirun was ended by signal 15"));
}

TEST(LauncherOutput, LinesHaveABound) {
  LauncherOutput output;
  std::string shown;
  for (int i = 0; i < 100; ++i) shown += output.take(std::string(1000, 'x'));
  EXPECT_GT(shown.size(), 80'000u);
}

}  // namespace
}  // namespace plinth
