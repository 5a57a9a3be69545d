#include "store/group_store.h"

#include <fmt/format.h>

#include "store/people/statements.h"

namespace plinth::store {

namespace {

constexpr char kGroup[] = "select id, organization, name, created_s from person_group";
GroupRow to_group(const SqlRow& row) {
  return {row.text(0), row.text(1), row.text(2), row.integer(3)};
}

constexpr char kMember[] = "select {} from group_member m join person p on p.id = m.person";

}  // namespace

absl::Status GroupStore::insert(const GroupRow& row) {
  return database_.transaction("make a group", [&](Sql& sql) {
    sql.run("insert into person_group (id, seq, organization, name, created_s) values (?,?,?,?,?)",
            {row.id, next_seq(sql, "person_group"), row.organization, row.name, row.created_s});
    return absl::OkStatus();
  });
}

absl::StatusOr<GroupRow> GroupStore::find(const std::string& organization, const std::string& id) {
  GroupRow found;
  RETURN_IF_ERROR(database_.read("find a group", [&](Sql& sql) {
    const auto row = sql.first(fmt::format("{} where organization = ? and id = ?", kGroup),
                               {organization, id}, 4);
    if (!row) return none_of("group", id);
    found = to_group(*row);
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<Page<GroupRow>> GroupStore::list(const std::string& organization,
                                                const PageRequest& page) {
  std::vector<GroupRow> rows;
  RETURN_IF_ERROR(database_.read("list groups", [&](Sql& sql) {
    rows.clear();
    const auto after = seq_of(sql, "person_group", page.after);
    if (!after) return none_of("group", page.after);
    const auto order = page_order(page, "seq", *after);
    sql.each(fmt::format("{} where organization = ?{}", kGroup, order.clause),
             {organization, order.bound, page.limit + 1}, 4,
             [&](const SqlRow& row) { rows.push_back(to_group(row)); });
    return absl::OkStatus();
  }));
  return cut(std::move(rows), page.limit);
}

absl::Status GroupStore::rename(const std::string& organization, const std::string& id,
                                const std::string& name) {
  return database_.transaction("rename a group", [&](Sql& sql) {
    const bool found = sql.run("update person_group set name = ? where organization = ? and id = ?",
                               {name, organization, id}) > 0;
    return found ? absl::OkStatus() : none_of("group", id);
  });
}

absl::Status GroupStore::remove(const std::string& organization, const std::string& id) {
  return database_.transaction("remove a group", [&](Sql& sql) {
    return keep_an_owner(sql, organization, [&] {
      const bool found = sql.run("delete from person_group where organization = ? and id = ?",
                                 {organization, id}) > 0;
      if (!found) return none_of("group", id);
      erase_subject(sql, group_subject(id));
      sql.run("delete from group_member where group_id = ?", {id});
      return absl::OkStatus();
    });
  });
}

absl::Status GroupStore::add_member(const std::string& group, const std::string& person,
                                    std::int64_t time_s) {
  return database_.transaction("add to a group", [&](Sql& sql) {
    sql.run(
        "insert into group_member (group_id, person, seq, added_s) values (?,?,?,?)"
        " on conflict do nothing",
        {group, person, next_seq(sql, "group_member"), time_s});
    return absl::OkStatus();
  });
}

absl::StatusOr<Page<PersonRow>> GroupStore::members(const std::string& group,
                                                    const PageRequest& page) {
  std::vector<PersonRow> rows;
  RETURN_IF_ERROR(database_.read("list a group's users", [&](Sql& sql) {
    rows.clear();
    std::int64_t after = -1;
    if (!page.after.empty()) {
      const auto row = sql.first("select seq from group_member where group_id = ? and person = ?",
                                 {group, page.after}, 1);
      if (!row) return none_of("user", page.after);
      after = row->integer(0);
    }
    const auto order = page_order(page, "m.seq", after);
    sql.each(fmt::format("{} where m.group_id = ?{}", fmt::format(kMember, person_columns("p.")),
                         order.clause),
             {group, order.bound, page.limit + 1}, kPersonColumns,
             [&](const SqlRow& row) { rows.push_back(to_person(row)); });
    return absl::OkStatus();
  }));
  return cut(std::move(rows), page.limit);
}

absl::StatusOr<PersonRow> GroupStore::member(const std::string& group, const std::string& person) {
  PersonRow found;
  RETURN_IF_ERROR(database_.read("find a group's user", [&](Sql& sql) {
    const auto row = sql.first(fmt::format("{} where m.group_id = ? and m.person = ?",
                                           fmt::format(kMember, person_columns("p."))),
                               {group, person}, kPersonColumns);
    if (!row) return none_of("user of the group", person);
    found = to_person(*row);
    return absl::OkStatus();
  }));
  return found;
}

absl::Status GroupStore::remove_member(const std::string& organization, const std::string& group,
                                       const std::string& person) {
  return database_.transaction("remove from a group", [&](Sql& sql) {
    return keep_an_owner(sql, organization, [&] {
      const bool found = sql.run("delete from group_member where group_id = ? and person = ?",
                                 {group, person}) > 0;
      return found ? absl::OkStatus() : none_of("user of the group", person);
    });
  });
}

}  // namespace plinth::store
