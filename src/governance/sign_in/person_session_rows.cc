#include "governance/sign_in/person_session_rows.h"

#include <utility>

#include "base/json.h"
#include "governance/sign_in_limits.h"
#include "store/session_store.h"

namespace plinth::governance {

namespace {

using Object = base::json::object;

std::string claims_of(const Identity& who) {
  const base::json::array roles(who.roles.begin(), who.roles.end());
  const base::json::array groups(who.groups.begin(), who.groups.end());
  return base::to_json(Object{{"roles", roles}, {"groups", groups}});
}

absl::StatusOr<std::vector<std::string>> names_of(const Object& claims, std::string_view name) {
  const auto* list = claims.if_contains(name);
  if (list == nullptr || !list->is_array()) return base::data_loss("[sessions] claims are none");
  std::vector<std::string> names;
  for (const auto& one : list->get_array()) {
    if (!one.is_string()) return base::data_loss("[sessions] a claim is no text");
    names.emplace_back(one.get_string());
  }
  return names;
}

absl::StatusOr<SessionRow> to_session(store::PersonSessionRow row) {
  SessionRow session;
  session.id_hash = std::move(row.id_hash);
  session.who.issuer = kPersonIssuer;
  session.who.subject = std::move(row.person);
  session.created_unix_s = row.created_s;
  session.used_unix_s = row.last_seen_s;
  if (!row.claims) return session;
  ASSIGN_OR_RETURN(const auto claims, base::parse_json(*row.claims));
  if (!claims.is_object()) return base::data_loss("[sessions] claims are no object");
  ASSIGN_OR_RETURN(session.who.roles, names_of(claims.get_object(), "roles"));
  ASSIGN_OR_RETURN(session.who.groups, names_of(claims.get_object(), "groups"));
  return session;
}

class PersonSessionRows final : public SessionRows {
 public:
  explicit PersonSessionRows(store::Database& database) : rows_(database) {}

  absl::Status insert(const SessionRow& row) override {
    if (row.who.issuer != kPersonIssuer)
      return base::internal("[sessions] a session of nobody in the database");
    store::PersonSessionRow made;
    made.id_hash = row.id_hash;
    made.person = row.who.subject;
    made.created_s = row.created_unix_s;
    made.last_seen_s = row.used_unix_s;
    made.expires_s = row.created_unix_s + kSessionTimeMax.count();
    if (!row.who.roles.empty() || !row.who.groups.empty()) made.claims = claims_of(row.who);
    return rows_.insert(made);
  }
  absl::StatusOr<SessionRow> find(const std::string& id_hash) override {
    ASSIGN_OR_RETURN(auto row, rows_.find(id_hash));
    return to_session(std::move(row));
  }
  absl::Status touch(const std::string& id_hash, std::int64_t used_unix_s) override {
    return rows_.touch(id_hash, used_unix_s);
  }
  absl::Status erase(const std::string& id_hash) override { return rows_.erase(id_hash); }
  absl::StatusOr<std::vector<SessionRow>> of_user(const std::string& issuer,
                                                  const std::string& subject) override {
    std::vector<SessionRow> sessions;
    if (issuer != kPersonIssuer) return sessions;
    ASSIGN_OR_RETURN(auto rows, rows_.of(subject));
    for (auto& row : rows) {
      ASSIGN_OR_RETURN(sessions.emplace_back(), to_session(std::move(row)));
    }
    return sessions;
  }
  absl::Status erase_ended(std::int64_t used_unix_s, std::int64_t created_unix_s) override {
    return rows_.erase_ended(created_unix_s + kSessionTimeMax.count(), used_unix_s);
  }
  absl::StatusOr<std::size_t> count() override {
    ASSIGN_OR_RETURN(const auto count, rows_.count());
    return static_cast<std::size_t>(count);
  }

 private:
  store::SessionStore rows_;
};

}  // namespace

std::unique_ptr<SessionRows> person_session_rows(store::Database& database) {
  return std::make_unique<PersonSessionRows>(database);
}

}  // namespace plinth::governance
