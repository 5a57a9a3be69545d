// How fine-tuning jobs, their events and checkpoints look on the wire.
#pragma once

#include "api/schema/schema.h"
#include "base/json.h"
#include "store/tuning_rows.h"

namespace plinth::api {

base::json::object tuning_job_object(const store::TuningJobRow& row);
base::json::object tuning_event_object(const store::TuningEventRow& row);
base::json::object tuning_checkpoint_object(const store::TuningCheckpointRow& row);

const Schema& tuning_request_schema();
const Schema& tuning_job_schema();
const Schema& tuning_job_list_schema();
const Schema& tuning_event_list_schema();
const Schema& tuning_checkpoint_list_schema();
const Schema& tuning_page_query();  // newest first
const Schema& tuning_jobs_query();  // the same of jobs
const Schema& model_deletion_schema();

}  // namespace plinth::api
