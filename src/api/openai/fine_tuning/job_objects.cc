#include "api/openai/fine_tuning/job_objects.h"

#include "api/limits.h"
#include "api/openai/admin/listing.h"
#include "governance/fine_tuning_jobs.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr std::int64_t kEpochsMax = 50;
constexpr std::int64_t kBatchSizeMax = 256;  // OpenAI's
constexpr std::int64_t kRankMax = 256;       // past it an adapter is the model itself
constexpr double kMultiplierMin = 1e-3, kMultiplierMax = 100;
constexpr double kBetaMin = 1e-3, kBetaMax = 2;  // the upper one is OpenAI's
constexpr std::int64_t kSeedMax = INT32_MAX;
constexpr char kDpo[] = "dpo";

Object object_of(const std::string& text) {
  auto parsed = base::parse_json(text);
  return parsed.ok() && parsed->is_object() ? parsed->get_object() : Object();
}

base::json::value value_or_null(const Object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value == nullptr ? base::json::value(nullptr) : *value;
}

// "supervised" or "dpo".
std::string type_of(const Object& request) {
  return std::string(request.at("method").at("type").as_string());
}

// What a job was asked for, then what became of each number that was left to the service.
Object hyperparameters_of(const Object& request, const Object& progress) {
  Object all{{"n_epochs", "auto"}, {"batch_size", "auto"}, {"learning_rate_multiplier", "auto"}};
  const auto add = [&](const base::json::value* from) {
    if (from == nullptr || !from->is_object()) return;
    for (const auto& field : from->get_object())
      if (!field.value().is_null()) all[field.key()] = field.value();
  };
  const auto method = request.at("method").get_object();
  if (type_of(request) == kDpo) all["beta"] = "auto";
  add(method.at(type_of(request)).get_object().if_contains("hyperparameters"));
  add(progress.if_contains("hyperparameters"));
  return all;
}

Schema automatic(Schema number, const char* doc) {
  return one_of({one_string_of({"auto"}, ""), std::move(number)}, doc).or_else("auto");
}

std::vector<Field> shared_hyperparameters() {
  return {optional("n_epochs", automatic(integer(1, kEpochsMax, ""), "Passes over the examples.")),
          optional("batch_size", automatic(integer(1, kBatchSizeMax, ""), "Examples of a step.")),
          optional("learning_rate_multiplier",
                   automatic(number(kMultiplierMin, kMultiplierMax, ""), "Of 0.0002."))};
}

std::vector<Field> adapter_hyperparameters() {
  std::vector<Field> fields;
  fields.push_back(extension("lora_rank", integer(1, kRankMax, "Of the adapter; 16.")));
  fields.push_back(extension("lora_alpha", number(0.01, 1e4, "Twice the rank where not given.")));
  fields.push_back(
      extension("lora_targets", array(one_string_of({"q", "k", "v", "o", "gate", "up", "down"}, ""),
                                      1, 7, "Matrices with adapters; q, k, v and o.")));
  return fields;
}

Schema supervised_schema() {
  auto fields = shared_hyperparameters();
  for (auto& field : adapter_hyperparameters()) fields.push_back(std::move(field));
  return object("SupervisedMethod",
                {optional("hyperparameters", object("SupervisedHyperparameters", fields, ""))}, "");
}

Schema dpo_schema() {
  auto fields = shared_hyperparameters();
  fields.push_back(optional(
      "beta", automatic(number(kBetaMin, kBetaMax, ""), "How near to the base it keeps; 0.1.")));
  for (auto& field : adapter_hyperparameters()) fields.push_back(std::move(field));
  return object("DPOMethod",
                {optional("hyperparameters", object("DPOHyperparameters", fields, ""))}, "");
}

// The one place that says which methods there are.
Schema method_schema() {
  return tagged(
      "type",
      {object("FineTuneSupervised",
              {required("type", one_string_of({"supervised"}, "")),
               optional("supervised", supervised_schema())},
              ""),
       object("FineTunePreferences",
              {required("type", one_string_of({kDpo}, "")), optional(kDpo, dpo_schema())}, "")},
      {{"reinforcement", "there is no training by graders here"}});
}

Schema answered_hyperparameters() {
  const auto either = [](Schema number) {
    return one_of({string("\"auto\" until it is known."), std::move(number)}, "");
  };
  return object("FineTuningHyperparameters",
                {required("n_epochs", either(integer(1, INT64_MAX, ""))),
                 required("batch_size", either(integer(1, INT64_MAX, ""))),
                 required("learning_rate_multiplier", either(number(0, 1e308, ""))),
                 optional("beta", either(number(0, 1e308, ""))),
                 optional("lora_rank", integer(1, kRankMax, "")),
                 optional("lora_alpha", number(0, 1e308, "")),
                 optional("lora_targets", array(string(""), 0, 7, ""))},
                "");
}

std::vector<std::string> statuses() {
  return {"validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"};
}

Schema error_of_job() {
  return object("FineTuningError",
                {optional("code", string("")), optional("message", string("")),
                 optional("param", string("").or_null())},
                "Empty unless the job failed.");
}

Schema answered_method() {
  const auto inner = object("", {required("hyperparameters", answered_hyperparameters())}, "");
  return object("FineTuningMethod",
                {required("type", one_string_of({"supervised", kDpo}, "")),
                 optional("supervised", inner), optional(kDpo, inner)},
                "One of both, by its type.");
}

}  // namespace

Object tuning_job_object(const store::TuningJobRow& row) {
  const auto request = object_of(row.request);
  const auto progress = object_of(row.progress);
  const auto hyperparameters = hyperparameters_of(request, progress);
  const auto* error = progress.if_contains("error");
  base::json::array results;
  if (row.result_file) results.emplace_back(*row.result_file);
  base::json::value validation, model;
  if (!row.validation_file.empty()) validation = base::json::string(row.validation_file);
  if (row.tuned_model) model = base::json::string(*row.tuned_model);
  return {
      {"object", "fine_tuning.job"},
      {"id", row.id},
      {"model", row.model},
      {"created_at", row.created_s},
      {"finished_at", time_or_null(row.finished_s)},
      {"fine_tuned_model", model},
      {"organization_id", row.organization},
      {"result_files", std::move(results)},
      {"status", row.status},
      {"validation_file", validation},
      {"training_file", row.training_file},
      {"hyperparameters", hyperparameters},
      {"trained_tokens", time_or_null(row.trained_tokens)},
      {"error", error == nullptr ? base::json::value(Object()) : *error},
      {"user_provided_suffix", value_or_null(request, "suffix")},
      {"seed", value_or_null(request, "seed")},
      {"estimated_finish", time_or_null(row.estimated_s)},
      {"integrations", base::json::array()},
      {"metadata", value_or_null(request, "metadata")},
      {"usage_metrics", nullptr},
      {"shared_with_openai", false},
      {"eval_id", nullptr},
      {"method",
       {{"type", type_of(request)}, {type_of(request), {{"hyperparameters", hyperparameters}}}}},
      {"device_seconds", static_cast<double>(row.device_ms) / 1000}};
}

Object tuning_event_object(const store::TuningEventRow& row) {
  return {{"object", "fine_tuning.job.event"},
          {"id", row.id},
          {"created_at", row.created_s},
          {"level", row.level},
          {"message", row.message},
          {"type", row.type},
          {"data", object_of(row.data)}};
}

Object tuning_checkpoint_object(const store::TuningCheckpointRow& row) {
  return {{"object", "fine_tuning.job.checkpoint"},
          {"id", row.id},
          {"created_at", row.created_s},
          {"fine_tuning_job_id", row.job},
          {"fine_tuned_model_checkpoint", row.model},
          {"step_number", row.step},
          {"metrics", object_of(row.metrics)}};
}

const Schema& tuning_request_schema() {
  static const Schema schema = object(
      "CreateFineTuningJob",
      {required("model", string("To begin with.").length(1, 200)),
       required("training_file", string("The id of a file of purpose fine-tune.").length(1, 128)),
       optional("validation_file", string("Another one, not learnt.").length(1, 128)),
       optional("method", method_schema()),
       optional("hyperparameters",
                object("LegacyHyperparameters", shared_hyperparameters(), "As method's.")),
       optional("suffix",
                string("In the name of the result.").length(1, governance::kTuningSuffixMax)),
       optional("seed", integer(0, kSeedMax, "The same seed gives the same model.")),
       optional("metadata",
                map(string("").length(0, kMetadataValueMax), kMetadataMax, "Kept with the job.")),
       unsupported("integrations", {base::json::array()}, "it reports to no other service")},
      "");
  return schema;
}

const Schema& tuning_job_schema() {
  static const Schema schema =
      object("FineTuningJob",
             {required("object", one_string_of({"fine_tuning.job"}, "")),
              required("id", string("")),
              required("model", string("That it begins with.")),
              required("created_at", integer(0, INT64_MAX, "Seconds since 1970.")),
              required("finished_at", integer(0, INT64_MAX, "").or_null()),
              required("fine_tuned_model", string("What it made.").or_null()),
              required("organization_id", string("")),
              required("result_files", array(string(""), 0, SIZE_MAX, "results.csv")),
              required("status", one_string_of(statuses(), "")),
              required("validation_file", string("").or_null()),
              required("training_file", string("")),
              required("hyperparameters", answered_hyperparameters()),
              required("trained_tokens", integer(0, INT64_MAX, "").or_null()),
              required("error", error_of_job()),
              required("user_provided_suffix", string("").or_null()),
              required("seed", integer(0, kSeedMax, "").or_null()),
              required("estimated_finish", integer(0, INT64_MAX, "While it runs.").or_null()),
              required("integrations", array(any(""), 0, 0, "")),
              required("metadata", map(string(""), kMetadataMax, "").or_null()),
              required("usage_metrics", any("").or_null()),
              required("shared_with_openai", boolean("")),
              required("eval_id", string("").or_null()),
              required("method", answered_method()),
              required("device_seconds", number(0, 1e308, "That its processes took."))},
             "");
  return schema;
}

const Schema& tuning_job_list_schema() {
  static const Schema schema = list_schema("FineTuningJobList", tuning_job_schema());
  return schema;
}

const Schema& tuning_event_list_schema() {
  static const Schema schema = list_schema(
      "FineTuningEventList",
      object("FineTuningEvent",
             {required("object", one_string_of({"fine_tuning.job.event"}, "")),
              required("id", string("")), required("created_at", integer(0, INT64_MAX, "")),
              required("level", one_string_of({"info", "warn", "error"}, "")),
              required("message", string("")),
              required("type", one_string_of({"message", "metrics"}, "")),
              required("data", map(any(""), 16, "Figures of metrics."))},
             ""));
  return schema;
}

const Schema& tuning_checkpoint_list_schema() {
  static const Schema schema = list_schema(
      "FineTuningCheckpointList",
      object("FineTuningCheckpoint",
             {required("object", one_string_of({"fine_tuning.job.checkpoint"}, "")),
              required("id", string("")), required("created_at", integer(0, INT64_MAX, "")),
              required("fine_tuning_job_id", string("")),
              required("fine_tuned_model_checkpoint", string("")),
              required("step_number", integer(0, INT64_MAX, "")),
              required("metrics", map(any(""), 16, ""))},
             "What a run had reached at the end of an epoch."));
  return schema;
}

const Schema& tuning_page_query() {
  static const Schema schema = page_query();
  return schema;
}

const Schema& tuning_jobs_query() {
  static const Schema schema = page_query({optional(
      "metadata", map(string("").length(0, kMetadataValueMax), kMetadataMax,
                      "Those that have these pairs; metadata=null: those without any."))});
  return schema;
}

const Schema& model_deletion_schema() {
  static const Schema schema = deletion_schema("ModelDeletion", "model");
  return schema;
}

}  // namespace plinth::api
