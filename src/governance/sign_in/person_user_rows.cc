#include "governance/sign_in/person_user_rows.h"

#include <utility>

#include "store/person_store.h"

namespace plinth::governance {

namespace {

class PersonUserRows final : public LocalUserRows {
 public:
  PersonUserRows(store::Database& database, std::string organization)
      : people_(database), organization_(std::move(organization)) {}

  absl::StatusOr<LocalUserRow> find(const std::string& name) override {
    ASSIGN_OR_RETURN(const auto person, people_.find_by_email(organization_, name));
    if (!person.password_phc) return base::not_found("No such local user: " + name);
    return LocalUserRow{name, *person.password_phc, {}, person.disabled_s.has_value()};
  }
  absl::Status insert(const LocalUserRow& row) override {
    ASSIGN_OR_RETURN(const auto person, people_.find_by_email(organization_, row.name));
    const auto set = people_.set_password(person.id, std::nullopt, row.password_phc);
    return absl::IsAborted(set) ? absl::AlreadyExistsError("The user has a password.") : set;
  }
  absl::Status replace_password(const std::string& name, const std::string& expected_phc,
                                const std::string& phc) override {
    ASSIGN_OR_RETURN(const auto person, people_.find_by_email(organization_, name));
    return people_.set_password(person.id, expected_phc, phc);
  }

 private:
  store::PersonStore people_;
  const std::string organization_;
};

}  // namespace

std::unique_ptr<LocalUserRows> person_user_rows(store::Database& database,
                                                std::string organization) {
  return std::make_unique<PersonUserRows>(database, std::move(organization));
}

}  // namespace plinth::governance
