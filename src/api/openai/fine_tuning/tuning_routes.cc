#include "api/openai/fine_tuning/tuning_routes.h"

#include <array>
#include <deque>

#include "api/openai/fine_tuning/checkpoint_permissions.h"
#include "api/openai/fine_tuning/job_objects.h"
#include "api/openai/fine_tuning/jobs.h"

namespace plinth::api {

namespace {

using governance::Permission;

// Below each of the prefixes.
constexpr std::array kRows{
    Route{"POST",
          "/fine_tuning/jobs",
          Permission::manage_tuning,
          create_tuning_job,
          {"create{}FineTuningJob", "Trains a model on a file.", tuning_job_schema,
           tuning_request_schema},
          {"fine_tuning.job.created", "model training_file validation_file suffix method"}},
    Route{"GET",
          "/fine_tuning/jobs",
          Permission::read_tuning,
          list_tuning_jobs,
          {"list{}FineTuningJobs", "The jobs of the project, newest first.", tuning_job_list_schema,
           nullptr, nullptr, tuning_jobs_query}},
    Route{"GET",
          "/fine_tuning/jobs/{job}",
          Permission::read_tuning,
          retrieve_tuning_job,
          {"retrieve{}FineTuningJob", "One of them.", tuning_job_schema}},
    Route{"POST",
          "/fine_tuning/jobs/{job}/cancel",
          Permission::manage_tuning,
          cancel_tuning_job,
          {"cancel{}FineTuningJob", "Ends it, for good.", tuning_job_schema},
          {"fine_tuning.job.cancelled"}},
    Route{"POST",
          "/fine_tuning/jobs/{job}/pause",
          Permission::manage_tuning,
          pause_tuning_job,
          {"pause{}FineTuningJob", "Ends its process after a checkpoint.", tuning_job_schema},
          {"fine_tuning.job.paused"}},
    Route{"POST",
          "/fine_tuning/jobs/{job}/resume",
          Permission::manage_tuning,
          resume_tuning_job,
          {"resume{}FineTuningJob", "Goes on with a paused one.", tuning_job_schema},
          {"fine_tuning.job.resumed"}},
    Route{"GET",
          "/fine_tuning/jobs/{job}/events",
          Permission::read_tuning,
          list_tuning_events,
          {"list{}FineTuningEvents", "What happened to it, newest first.", tuning_event_list_schema,
           nullptr, nullptr, tuning_page_query}},
    Route{"GET",
          "/fine_tuning/jobs/{job}/checkpoints",
          Permission::read_tuning,
          list_tuning_checkpoints,
          {"list{}FineTuningCheckpoints", "What it had reached after each epoch.",
           tuning_checkpoint_list_schema, nullptr, nullptr, tuning_page_query}},
};
static_assert(acts_are_recorded(kRows), "an act without an event");

// Administration, in OpenAI's dialect alone.
constexpr std::array kSharingRows{
    Route{"POST",
          "/v1/fine_tuning/checkpoints/{checkpoint}/permissions",
          Permission::manage_projects,
          create_checkpoint_permissions,
          {"createCheckpointPermissions", "Lets other projects call a tuned model.",
           checkpoint_permission_list_schema, checkpoint_permissions_request_schema},
          {"checkpoint.permission.created", "project_ids"}},
    Route{"GET",
          "/v1/fine_tuning/checkpoints/{checkpoint}/permissions",
          Permission::manage_projects,
          list_checkpoint_permissions,
          {"listCheckpointPermissions", "Which may.", checkpoint_permission_list_schema, nullptr,
           nullptr, checkpoint_permission_query}},
    Route{"DELETE",
          "/v1/fine_tuning/checkpoints/{checkpoint}/permissions/{permission}",
          Permission::manage_projects,
          delete_checkpoint_permission,
          {"deleteCheckpointPermission", "No more.", checkpoint_permission_deletion_schema},
          {"checkpoint.permission.deleted"}},
};
static_assert(acts_are_recorded(kSharingRows), "an act without an event");

// Azure's, which names the answer's absence by its status.
constexpr std::array kAzureRows{
    Route{"DELETE",
          "/openai/fine_tuning/jobs/{job}",
          Permission::manage_tuning,
          delete_tuning_job,
          {"deleteAzureFineTuningJob", "Forgets one that is over.", nullptr},
          {"fine_tuning.job.deleted"}},
};
static_assert(acts_are_recorded(kAzureRows), "an act without an event");

struct Prefix {
  std::string_view path, name;  // the second stands for {} in an operation's id
};
constexpr std::array kPrefixes{Prefix{"/v1", ""}, Prefix{"/openai", "Azure"},
                               Prefix{"/openai/v1", "AzureV1"}};

std::string named(std::string_view id, std::string_view name) {
  const auto at = id.find("{}");
  return std::string(id.substr(0, at)).append(name).append(id.substr(at + 2));
}

}  // namespace

std::span<const Route> tuning_routes() {
  static std::deque<std::string> texts;  // whose addresses stay
  static const std::vector<Route> all = [] {
    std::vector<Route> made;
    for (const auto& prefix : kPrefixes) {
      for (auto row : kRows) {
        row.pattern = texts.emplace_back(std::string(prefix.path).append(row.pattern));
        row.doc.id = texts.emplace_back(named(row.doc.id, prefix.name));
        made.push_back(row);
      }
    }
    made.insert(made.end(), kSharingRows.begin(), kSharingRows.end());
    made.insert(made.end(), kAzureRows.begin(), kAzureRows.end());
    return made;
  }();
  return all;
}

}  // namespace plinth::api
