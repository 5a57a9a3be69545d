// Bounds of fine-tuning jobs, with their reasons.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plinth::governance {

// Of what a tuned model is called: OpenAI's.
inline constexpr std::size_t kTuningSuffixMax = 64;
// Jobs of a project that are not over, and of all: where no setting says otherwise. A queue that is
// longer than some days of training is of use to nobody.
inline constexpr std::int64_t kTuningProjectJobsMax = 16;
inline constexpr std::int64_t kTuningJobsMax = 256;
// Processes of one job that may end without a word before it fails: a machine that was short of
// memory once is not so thrice.
inline constexpr std::int64_t kTuningCrashesMax = 3;
// Events of steps that are kept of a job: a curve of so many points shows all that there is.
inline constexpr std::int64_t kTuningStepEventsMax = 200;
// Ends of epochs that are kept of a job, the last one with them: OpenAI's.
inline constexpr std::int64_t kTuningCheckpointsKept = 3;
// Of a project.
inline constexpr std::int64_t kTunedModelsMax = 10'000;
// Ids have 96 random bits.
inline constexpr std::size_t kTuningIdBytes = 12;
// Of a model's name: 4 random bytes keep those of one suffix apart, below kTunedModelsMax.
inline constexpr std::size_t kTunedModelIdBytes = 4;

// Projects that others' tuned models are shared with, of each: as many as may be named at once.
inline constexpr std::int64_t kSharedModelsMax = 10'000;
inline constexpr std::size_t kSharedAtOnceMax = 100;

}  // namespace plinth::governance
