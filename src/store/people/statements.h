// Statements that several stores of people run inside their own transactions.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/invite_store.h"
#include "store/person_store.h"
#include "store/role_store.h"
#include "store/sql.h"

namespace plinth::store {

// "No such user: x"
absl::Status none_of(std::string_view kind, std::string_view id);
// By which addresses are compared.
std::string email_key(const std::optional<std::string>& email);

// Columns of a person as to_person() reads them, each with `prefix` before it.
std::string person_columns(std::string_view prefix = "");
inline constexpr std::size_t kPersonColumns = 9;
PersonRow to_person(const SqlRow& row);

void insert_person(Sql& sql, const PersonRow& row);
// Both do nothing where it is so already.
void insert_assignment(Sql& sql, const Subject& subject, const std::string& project,
                       const std::string& role, std::int64_t time_s);
void insert_member(Sql& sql, const std::string& project, const Subject& subject,
                   std::int64_t time_s);
// All of a subject's roles and memberships of projects.
void erase_subject(Sql& sql, const Subject& subject);
void end_keys_and_sessions(Sql& sql, const std::string& person, std::int64_t time_s);

// Runs `change`, and refuses it (InvalidArgument) where it leaves an organization without an owner
// that had one: somebody who is not disabled and has the role "owner" in the whole organization.
absl::Status keep_an_owner(Sql& sql, const std::string& organization,
                           const std::function<absl::Status()>& change);

}  // namespace plinth::store
