#include "store/commitment_store.h"

#include <algorithm>

#include "store/limits.h"
#include "store/usage_store.h"

namespace plinth::store {

namespace {

constexpr std::int64_t kHour = 3600;

// Whoever notes a change and whoever charges take turns.
void hold_commitments(Sql& sql) {
  if (sql.dialect() == Dialect::sqlite) return;  // one writer at a time
  sql.each("select pg_advisory_xact_lock(7236845)", {}, 1, [](const SqlRow&) {});
}

std::int64_t hour_of(std::int64_t time_s) { return time_s - time_s % kHour; }

// Everything that is held before `end_s` and was not charged, by deployment and time.
std::vector<CommitmentSpan> spans_before(Sql& sql, std::int64_t end_s) {
  std::vector<CommitmentSpan> spans;
  sql.each(
      "select project, deployment, organization, model, units, from_s from commitment_span"
      " where from_s < ? order by project, deployment, from_s",
      {end_s}, 6, [&](const SqlRow& row) {
        CommitmentSpan span{row.text(0),    row.text(1),    row.text(2), row.text(3),
                            row.integer(4), row.integer(5), end_s};
        if (!spans.empty() && spans.back().project == span.project &&
            spans.back().deployment == span.deployment) {
          spans.back().to_s = span.from_s;
        }
        spans.push_back(std::move(span));
      });
  return spans;
}

// What is still held at `end_s` goes on from there.
void move_on(Sql& sql, const std::vector<CommitmentSpan>& charged, std::int64_t end_s) {
  sql.run("delete from commitment_span where from_s < ?", {end_s});
  for (const auto& span : charged) {
    if (span.to_s < end_s || span.units == 0) continue;
    // A change at that very second is what holds from then on.
    sql.run(
        "insert into commitment_span (project, deployment, from_s, organization, model, units)"
        " values (?,?,?,?,?,?) on conflict do nothing",
        {span.project, span.deployment, end_s, span.organization, span.model, span.units});
  }
}

}  // namespace

absl::Status CommitmentStore::note(const CommitmentSpan& span) {
  return database_.transaction("note a commitment", [&](Sql& sql) {
    hold_commitments(sql);
    auto from_s = time_(sql) / 1000;
    const auto last = sql.first(
        "select from_s, model, units from commitment_span where project = ? and deployment = ?"
        " order by from_s desc limit 1",
        {span.project, span.deployment}, 3);
    const std::int64_t held = last ? last->integer(2) : 0;
    const bool same_model = span.units == 0 || (last && last->text(1) == span.model);
    if (held == span.units && same_model) return absl::OkStatus();
    // A clock that steps back changes nothing that was noted.
    if (last) from_s = std::max(from_s, last->integer(0));
    const auto owner =
        sql.first("select organization from project where id = ?", {span.project}, 1);
    sql.run(
        "insert into commitment_span (project, deployment, from_s, organization, model, units)"
        " values (?,?,?,?,?,?) on conflict (project, deployment, from_s) do update set"
        " organization = excluded.organization, model = excluded.model, units = excluded.units",
        {span.project, span.deployment, from_s, owner ? owner->text(0) : "", span.model,
         span.units});
    return absl::OkStatus();
  });
}

absl::StatusOr<CommitmentStore::Charged> CommitmentStore::charge(
    absl::FunctionRef<absl::StatusOr<std::vector<LedgerRow>>(std::span<const CommitmentSpan>)>
        rows_of) {
  Charged charged;
  RETURN_IF_ERROR(database_.transaction("charge commitments", [&](Sql& sql) -> absl::Status {
    hold_commitments(sql);
    const auto now_s = hour_of(time_(sql) / 1000);
    const auto first = sql.first("select min(from_s) from commitment_span", {}, 1);
    const auto oldest_s = first ? first->maybe_integer(0) : std::nullopt;
    charged = {now_s, true, 0};
    if (!oldest_s || *oldest_s >= now_s) return absl::OkStatus();
    charged.until_s = std::min(now_s, hour_of(*oldest_s) + kCommitmentHoursAtOnce * kHour);
    charged.is_all = charged.until_s == now_s;
    auto spans = spans_before(sql, charged.until_s);
    auto rows = rows_of(spans);
    if (!rows.ok()) return rows.status();
    charged.rows = static_cast<std::int64_t>(rows->size());
    move_on(sql, spans, charged.until_s);
    return UsageStore(database_).append(*rows);
  }));
  return charged;
}

}  // namespace plinth::store
