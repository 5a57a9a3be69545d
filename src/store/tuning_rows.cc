#include "store/tuning_rows.h"

#include <fmt/format.h>

namespace plinth::store {

namespace {

constexpr char kJob[] =
    "id, organization, project, model, training_file, validation_file, request, created_s, status,"
    " runner, progress, started_s, finished_s, estimated_s, trained_tokens, tuned_model,"
    " result_file, device_ms, crashes";
constexpr std::size_t kJobCount = 19;
constexpr char kEvent[] = "id, job, created_s, level, type, message, data";
constexpr std::size_t kEventCount = 7;
constexpr char kCheckpoint[] = "id, job, created_s, step, model, metrics";
constexpr std::size_t kCheckpointCount = 6;
constexpr char kIsOpen[] = "status not in ('succeeded', 'failed', 'cancelled')";

TuningJobRow to_job(const SqlRow& from) {
  TuningJobRow row{from.text(0), from.text(1), from.text(2),    from.text(3), from.text(4),
                   from.text(5), from.text(6), from.integer(7), from.text(8)};
  row.runner = from.text(9);
  row.progress = from.text(10);
  row.started_s = from.integer(11);
  row.finished_s = from.maybe_integer(12);
  row.estimated_s = from.maybe_integer(13);
  row.trained_tokens = from.maybe_integer(14);
  row.tuned_model = from.maybe_text(15);
  row.result_file = from.maybe_text(16);
  row.device_ms = from.integer(17);
  row.crashes = from.integer(18);
  return row;
}

TuningEventRow to_event(const SqlRow& from) {
  return {from.text(0), from.text(1), from.integer(2), from.text(3),
          from.text(4), from.text(5), from.text(6)};
}

TuningCheckpointRow to_checkpoint(const SqlRow& from) {
  return {from.text(0), from.text(1), from.integer(2), from.integer(3), from.text(4), from.text(5)};
}

// What a list is of: entries whose `owner` column is `whose`.
struct ListOf {
  const char* table;
  const char* columns;
  std::size_t count;
  const char* owner;
  const std::string& whose;
};

// Rows that a filter looks at before it asks for more of them.
constexpr std::int64_t kFilteredAtOnce = 256;

template <typename Row, typename ToRow>
absl::StatusOr<Page<Row>> read_page(Database& database, const ListOf& list, const PageRequest& page,
                                    const ToRow& to_row) {
  std::vector<Row> rows;
  RETURN_IF_ERROR(database.read("list fine-tuning", [&](Sql& sql) -> absl::Status {
    rows.clear();
    std::int64_t after = -1;
    if (!page.after.empty()) {
      const auto before = sql.first(
          fmt::format("select seq from {} where id = ? and {} = ?", list.table, list.owner),
          {page.after, list.whose}, 1);
      if (!before) return base::not_found("No such entry of the list: " + page.after);
      after = before->integer(0);
    }
    const auto order = page_order(page, "seq", after);
    sql.each(fmt::format("select {} from {} where {} = ?{}", list.columns, list.table, list.owner,
                         order.clause),
             {list.whose, order.bound, page.limit + 1}, list.count,
             [&](const SqlRow& row) { rows.push_back(to_row(row)); });
    return absl::OkStatus();
  }));
  return cut(std::move(rows), page.limit);
}

std::int64_t count_open(Sql& sql, const std::string& project) {
  const auto of_all = fmt::format("select count(*) from tuning_job where {}", kIsOpen);
  const auto row = project.empty() ? sql.first(of_all, {}, 1)
                                   : sql.first(of_all + " and project = ?", {project}, 1);
  return row->integer(0);
}

}  // namespace

absl::Status no_such_tuning_job(const std::string& id) {
  return base::not_found("Could not find fine tune: " + id);
}

absl::Status TuningRows::insert(const TuningJobRow& row, const TuningLimits& limits) {
  return database_.transaction("insert a fine-tuning job", [&](Sql& sql) -> absl::Status {
    const auto seq = next_seq(sql, "tuning_job");
    if (count_open(sql, row.project) >= limits.project_max) {
      return base::resource_exhausted(fmt::format(
          "The project has {} fine-tuning jobs that are not over, as many as it may: wait for one, "
          "or cancel one.",
          limits.project_max));
    }
    if (count_open(sql, "") >= limits.total_max) {
      return base::resource_exhausted(
          "The queue of fine-tuning jobs is full: wait for one to be over.");
    }
    sql.run(fmt::format("insert into tuning_job (seq, {}) values {}", kJob,
                        row_marks(1, kJobCount + 1)),
            {seq,
             row.id,
             row.organization,
             row.project,
             row.model,
             row.training_file,
             row.validation_file,
             row.request,
             row.created_s,
             row.status,
             row.runner,
             row.progress,
             row.started_s,
             or_null(row.finished_s),
             or_null(row.estimated_s),
             or_null(row.trained_tokens),
             or_null(row.tuned_model),
             or_null(row.result_file),
             row.device_ms,
             row.crashes});
    return absl::OkStatus();
  });
}

absl::StatusOr<TuningJobRow> TuningRows::find(const std::string& project, const std::string& id) {
  std::optional<TuningJobRow> found;
  RETURN_IF_ERROR(database_.read("find a fine-tuning job", [&](Sql& sql) {
    found.reset();
    const auto row =
        sql.first(fmt::format("select {} from tuning_job where id = ? and project = ?", kJob),
                  {id, project}, kJobCount);
    if (row) found = to_job(*row);
    return absl::OkStatus();
  }));
  if (!found) return no_such_tuning_job(id);
  return *found;
}

absl::StatusOr<Page<TuningJobRow>> TuningRows::list(const std::string& project,
                                                    const PageRequest& page, const Wanted& wanted) {
  const ListOf jobs{"tuning_job", kJob, kJobCount, "project", project};
  if (!wanted) return read_page<TuningJobRow>(database_, jobs, page, to_job);
  Page<TuningJobRow> chosen;
  auto next = page;
  next.limit = kFilteredAtOnce;
  for (;;) {
    ASSIGN_OR_RETURN(auto some, read_page<TuningJobRow>(database_, jobs, next, to_job));
    for (auto& row : some.rows) {
      next.after = row.id;
      if (!wanted(row)) continue;
      chosen.has_more = static_cast<std::int64_t>(chosen.rows.size()) == page.limit;
      if (chosen.has_more) return chosen;
      chosen.rows.push_back(std::move(row));
    }
    if (!some.has_more) return chosen;
  }
}

absl::Status TuningRows::remove(const std::string& project, const std::string& id,
                                const std::function<absl::Status(const TuningJobRow&)>& check) {
  return database_.transaction("remove a fine-tuning job", [&](Sql& sql) -> absl::Status {
    const auto found =
        sql.first(fmt::format("select {} from tuning_job where id = ? and project = ?", kJob),
                  {id, project}, kJobCount);
    if (!found) return no_such_tuning_job(id);
    RETURN_IF_ERROR(check(to_job(*found)));
    sql.run("delete from tuning_event where job = ?", {id});
    sql.run("delete from tuning_checkpoint where job = ?", {id});
    sql.run("delete from tuning_job where id = ?", {id});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<TuningJobRow>> TuningRows::open_jobs() {
  std::vector<TuningJobRow> rows;
  RETURN_IF_ERROR(database_.read("list open fine-tuning jobs", [&](Sql& sql) {
    rows.clear();
    sql.each(fmt::format("select {} from tuning_job where {} order by seq", kJob, kIsOpen), {},
             kJobCount, [&](const SqlRow& row) { rows.push_back(to_job(row)); });
    return absl::OkStatus();
  }));
  return rows;
}

absl::StatusOr<TuningJobRow> TuningRows::change(const std::string& id, const Change& change) {
  std::optional<TuningJobRow> changed;
  const auto body = [&](Sql& sql) -> absl::Status {
    changed.reset();
    const auto found =
        sql.first(fmt::format("select {} from tuning_job where id = ?", kJob), {id}, kJobCount);
    if (!found) return no_such_tuning_job(id);
    auto row = to_job(*found);
    RETURN_IF_ERROR(change(row));
    sql.run(
        "update tuning_job set status = ?, runner = ?, progress = ?, started_s = ?, finished_s = ?,"
        " estimated_s = ?, trained_tokens = ?, tuned_model = ?, result_file = ?, device_ms = ?,"
        " crashes = ? where id = ?",
        {row.status, row.runner, row.progress, row.started_s, or_null(row.finished_s),
         or_null(row.estimated_s), or_null(row.trained_tokens), or_null(row.tuned_model),
         or_null(row.result_file), row.device_ms, row.crashes, id});
    changed = std::move(row);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(database_.transaction("change a fine-tuning job", body));
  return *changed;
}

absl::StatusOr<std::int64_t> TuningRows::last_start_s(const std::string& project) {
  std::int64_t last = 0;
  RETURN_IF_ERROR(database_.read("last start of a fine-tuning job", [&](Sql& sql) {
    last = sql.first("select max(started_s) from tuning_job where project = ?", {project}, 1)
               ->integer(0);
    return absl::OkStatus();
  }));
  return last;
}

absl::Status TuningRows::add_event(const TuningEventRow& row) {
  return database_.transaction("insert a fine-tuning event", [&](Sql& sql) {
    sql.run(fmt::format("insert into tuning_event (seq, {}) values {}", kEvent,
                        row_marks(1, kEventCount + 1)),
            {next_seq(sql, "tuning_event"), row.id, row.job, row.created_s, row.level, row.type,
             row.message, row.data});
    return absl::OkStatus();
  });
}

absl::Status TuningRows::add_checkpoint(const TuningCheckpointRow& row, std::int64_t keep) {
  return database_.transaction("insert a fine-tuning checkpoint", [&](Sql& sql) {
    // A run that went back to an earlier step passes this one again.
    sql.run("delete from tuning_checkpoint where job = ? and step = ?", {row.job, row.step});
    sql.run(fmt::format("insert into tuning_checkpoint (seq, {}) values {}", kCheckpoint,
                        row_marks(1, kCheckpointCount + 1)),
            {next_seq(sql, "tuning_checkpoint"), row.id, row.job, row.created_s, row.step,
             row.model, row.metrics});
    sql.run(
        "delete from tuning_checkpoint where job = ? and seq not in"
        " (select seq from tuning_checkpoint where job = ? order by seq desc limit ?)",
        {row.job, row.job, keep});
    return absl::OkStatus();
  });
}

absl::StatusOr<Page<TuningEventRow>> TuningRows::events(const std::string& job,
                                                        const PageRequest& page) {
  return read_page<TuningEventRow>(database_, {"tuning_event", kEvent, kEventCount, "job", job},
                                   page, to_event);
}

absl::StatusOr<Page<TuningCheckpointRow>> TuningRows::checkpoints(const std::string& job,
                                                                  const PageRequest& page) {
  return read_page<TuningCheckpointRow>(
      database_, {"tuning_checkpoint", kCheckpoint, kCheckpointCount, "job", job}, page,
      to_checkpoint);
}

}  // namespace plinth::store
