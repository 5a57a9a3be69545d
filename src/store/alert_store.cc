#include "store/alert_store.h"

#include <fmt/format.h>

#include <map>

#include "store/paging.h"

namespace plinth::store {

namespace {

constexpr char kColumns[] =
    "id, organization, project, threshold_pico, recipients, subject_prefix, created_s";
constexpr std::size_t kCount = 7;

AlertRow to_alert(const SqlRow& row) {
  return {row.text(0), row.text(1),       row.text(2),   row.integer(3),
          row.text(4), row.maybe_text(5), row.integer(6)};
}

absl::Status no_alert(const std::string& id) {
  return base::not_found("No such spend alert: " + id);
}

// Of the hours of a project, or of the organization's days. Summed in two parts: one of a month may
// be more than 64 bits hold, which is an error to SQLite.
__int128 spent_in(Sql& sql, const AlertRow& alert, std::int64_t from_s, std::int64_t to_s) {
  constexpr std::int64_t kPart = 1'000'000;
  const bool days = alert.project.empty();
  const auto row = sql.first(
      fmt::format("select sum(amount_pico / {0}), sum(amount_pico % {0}) from {1} where {2} = ?"
                  " and {3} >= ? and {3} < ?",
                  kPart, days ? "usage_day" : "usage_hour", days ? "organization" : "project",
                  days ? "day_s" : "hour_s"),
      {days ? alert.organization : alert.project, from_s, to_s}, 2);
  return row ? __int128{row->integer(0)} * kPart + row->integer(1) : 0;
}

}  // namespace

absl::Status AlertStore::insert(const AlertRow& row, std::int64_t most) {
  return database_.transaction("make a spend alert", [&](Sql& sql) {
    const auto seq = next_seq(sql, "spend_alert");  // first: what is counted stays true
    const auto count =
        sql.first("select count(*) from spend_alert where organization = ? and project = ?",
                  {row.organization, row.project}, 1);
    if (count->integer(0) >= most)
      return base::resource_exhausted(fmt::format("There are {} spend alerts already.", most));
    sql.run(fmt::format("insert into spend_alert (seq, {}) values {}", kColumns,
                        row_marks(1, kCount + 1)),
            {seq, row.id, row.organization, row.project, row.threshold_pico, row.recipients,
             or_null(row.subject_prefix), row.created_s});
    return absl::OkStatus();
  });
}

absl::StatusOr<AlertRow> AlertStore::find(const std::string& organization,
                                          const std::string& project, const std::string& id) {
  AlertRow found;
  RETURN_IF_ERROR(database_.read("find a spend alert", [&](Sql& sql) {
    const auto row = sql.first(
        fmt::format("select {} from spend_alert where organization = ? and project = ? and id = ?",
                    kColumns),
        {organization, project, id}, kCount);
    if (!row) return no_alert(id);
    found = to_alert(*row);
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<std::vector<AlertRow>> AlertStore::list(const std::string& organization,
                                                       const std::string& project) {
  std::vector<AlertRow> rows;
  RETURN_IF_ERROR(database_.read("list spend alerts", [&](Sql& sql) {
    rows.clear();
    sql.each(fmt::format(
                 "select {} from spend_alert where organization = ? and project = ? order by seq",
                 kColumns),
             {organization, project}, kCount,
             [&](const SqlRow& row) { rows.push_back(to_alert(row)); });
    return absl::OkStatus();
  }));
  return rows;
}

absl::Status AlertStore::update(const AlertRow& row) {
  return database_.transaction("change a spend alert", [&](Sql& sql) {
    const bool found =
        sql.run(
            "update spend_alert set threshold_pico = ?, recipients = ?, subject_prefix = ?"
            " where organization = ? and project = ? and id = ?",
            {row.threshold_pico, row.recipients, or_null(row.subject_prefix), row.organization,
             row.project, row.id}) > 0;
    return found ? absl::OkStatus() : no_alert(row.id);
  });
}

absl::Status AlertStore::remove(const AlertRow& row) {
  return database_.transaction("remove a spend alert", [&](Sql& sql) {
    const bool found =
        sql.run("delete from spend_alert where organization = ? and project = ? and id = ?",
                {row.organization, row.project, row.id}) > 0;
    if (!found) return no_alert(row.id);
    sql.run("delete from spend_firing where alert = ?", {row.id});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<AlertFiring>> AlertStore::passed(std::int64_t month_s,
                                                            std::int64_t month_end_s) {
  std::vector<AlertFiring> found;
  RETURN_IF_ERROR(database_.read("look at spend alerts", [&](Sql& sql) {
    found.clear();
    std::vector<AlertRow> quiet;
    sql.each(fmt::format("select {} from spend_alert a where created_s < ? and not exists (select 1"
                         " from spend_firing f where f.alert = a.id and f.month_s = ? and"
                         " f.threshold_pico = a.threshold_pico) order by seq",
                         kColumns),
             {month_end_s, month_s}, kCount,
             [&](const SqlRow& row) { quiet.push_back(to_alert(row)); });
    std::map<std::pair<std::string, std::string>, __int128> spent;
    for (auto& alert : quiet) {
      const std::pair scope(alert.organization, alert.project);
      if (!spent.contains(scope)) spent[scope] = spent_in(sql, alert, month_s, month_end_s);
      if (spent[scope] < alert.threshold_pico) continue;
      const auto shown = static_cast<std::int64_t>(std::min<__int128>(spent[scope], INT64_MAX));
      found.push_back({std::move(alert), month_s, shown, 0});
    }
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<bool> AlertStore::fire(const AlertFiring& firing) {
  bool first = false;
  RETURN_IF_ERROR(database_.transaction("fire a spend alert", [&](Sql& sql) {
    first = sql.run(
                "insert into spend_firing (alert, month_s, threshold_pico, spent_pico, fired_s,"
                " claimed_until_s, delivered_s) values (?,?,?,?,?,0,null) on conflict do nothing",
                {firing.alert.id, firing.month_s, firing.alert.threshold_pico, firing.spent_pico,
                 firing.fired_s}) > 0;
    return absl::OkStatus();
  }));
  return first;
}

absl::StatusOr<std::optional<AlertFiring>> AlertStore::claim(std::int64_t now_s,
                                                             std::int64_t for_s) {
  std::optional<AlertFiring> claimed;
  RETURN_IF_ERROR(database_.transaction("claim a spend alert", [&](Sql& sql) {
    claimed.reset();
    const auto row = sql.first(
        "select a.id, a.organization, a.project, f.threshold_pico, a.recipients,"
        " a.subject_prefix, a.created_s, f.month_s, f.spent_pico, f.fired_s from spend_firing f"
        " join spend_alert a on a.id = f.alert where f.delivered_s is null and"
        " f.claimed_until_s <= ? order by f.fired_s, a.seq limit 1",
        {now_s}, kCount + 3);
    if (!row) return absl::OkStatus();
    const AlertFiring firing{to_alert(*row), row->integer(7), row->integer(8), row->integer(9)};
    // Of two that read the same row, the second finds it claimed.
    const bool ours =
        sql.run(
            "update spend_firing set claimed_until_s = ? where alert = ? and month_s = ? and"
            " threshold_pico = ? and claimed_until_s <= ? and delivered_s is null",
            {now_s + for_s, firing.alert.id, firing.month_s, firing.alert.threshold_pico, now_s}) >
        0;
    if (ours) claimed = firing;
    return absl::OkStatus();
  }));
  return claimed;
}

absl::Status AlertStore::delivered(const AlertFiring& firing, std::int64_t now_s) {
  return database_.transaction("deliver a spend alert", [&](Sql& sql) {
    sql.run(
        "update spend_firing set delivered_s = ? where alert = ? and month_s = ? and"
        " threshold_pico = ?",
        {now_s, firing.alert.id, firing.month_s, firing.alert.threshold_pico});
    return absl::OkStatus();
  });
}

}  // namespace plinth::store
