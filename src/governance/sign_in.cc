#include "governance/sign_in.h"

#include <utility>

#include "governance/local_users.h"
#include "governance/sessions.h"
#include "governance/sign_in/keyed_hash.h"
#include "governance/sign_in/mapped_rights.h"
#include "governance/sign_in/person_session_rows.h"
#include "governance/sign_in/person_user_rows.h"
#include "governance/sign_in/principal_cache.h"
#include "governance/sign_in/session_key.h"
#include "governance/sign_in_limits.h"
#include "governance/sign_in_throttle.h"

namespace plinth::governance {

namespace {

constexpr char kPasswordEndpoint[] = "/auth/sign_in", kProviderEndpoint[] = "/auth/oidc/done",
               kSignOutEndpoint[] = "/auth/sign_out", kChangeEndpoint[] = "/auth/password";

absl::Status signed_out() { return absl::UnauthenticatedError("You are not signed in."); }

std::string token_key(std::string_view token) { return "token " + sha256(token); }
std::string session_key(std::string_view id) { return "session " + sha256(id); }

AuditEvent event_of(std::string_view type, const store::PersonRow& person,
                    std::string_view source) {
  AuditEvent event;
  event.type = type;
  event.actor = {"session", person.id, "", "", person.email.value_or(""), std::string(source)};
  event.organization = person.organization;
  event.resources = {person.id};
  event.details = {{"id", person.id}};
  return event;
}

}  // namespace

struct SignIn::Impl {
  Impl(const SignInParts& parts, SignInOptions given)
      : database(parts.database),
        people(parts.people),
        audit(parts.audit),
        clock(parts.clock),
        options(std::move(given)),
        organization(options.enrolment.organization),
        tenants(parts.database),
        enrolment(parts.database, parts.people, parts.invites, parts.audit, options.enrolment),
        throttle(parts.clock),
        user_rows(person_user_rows(parts.database, organization)),
        known(parts.clock) {}

  absl::StatusOr<Principal> principal_of(const store::PersonRow& person,
                                         const std::vector<std::string>& roles,
                                         const std::vector<std::string>& groups);
  absl::StatusOr<Principal> principal_of(const Identity& who);
  absl::StatusOr<store::PersonRow> person_of_session(std::string_view id, Identity& who);
  absl::StatusOr<NewSession> begin(const store::PersonRow& person, const Identity& proof,
                                   std::string_view how, std::string_view source);
  // Passes `why` on, and counts it where it says that somebody failed.
  absl::Status failed(absl::Status why, std::string_view type, std::string_view source,
                      std::string_view endpoint);

  store::Database& database;
  People& people;
  AuditLog& audit;
  const base::Clock& clock;
  const SignInOptions options;
  const std::string organization;
  store::TenantStore tenants;
  Enrolment enrolment;
  SignInThrottle throttle;
  const std::unique_ptr<LocalUserRows> user_rows;
  PrincipalCache known;
  std::unique_ptr<OidcProvider> provider;  // null: none
  // Whose own lock is taken inside transactions alone, as Database asks.
  std::unique_ptr<Sessions> sessions;
  std::unique_ptr<LocalUsers> users;
};

SignIn::SignIn(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SignIn::~SignIn() = default;

absl::StatusOr<std::unique_ptr<SignIn>> SignIn::open(const std::string& home,
                                                     const SignInParts& parts,
                                                     SignInOptions options) {
  auto impl = std::make_unique<Impl>(parts, std::move(options));
  ASSIGN_OR_RETURN(auto key, load_session_key(home));
  if (impl->options.oidc) {
    for (const auto& [value, name] : impl->options.oidc->role_names)
      RETURN_IF_ERROR(parse_mapped_role(name).status());
    ASSIGN_OR_RETURN(impl->provider, OidcProvider::create(*impl->options.oidc, impl->options.fetch,
                                                          impl->options.post,
                                                          {key, system_random_bytes}, parts.clock));
  }
  ASSIGN_OR_RETURN(impl->sessions,
                   Sessions::open(person_session_rows(parts.database), std::move(key),
                                  system_random_bytes, parts.clock));
  ASSIGN_OR_RETURN(impl->users,
                   LocalUsers::open(*impl->user_rows, impl->throttle, system_random_bytes));
  return std::unique_ptr<SignIn>(new SignIn(std::move(impl)));
}

bool SignIn::has_provider() const { return impl_->provider != nullptr; }
const std::string& SignIn::provider_name() const { return impl_->options.provider_name; }

absl::StatusOr<Principal> SignIn::Impl::principal_of(const store::PersonRow& person,
                                                     const std::vector<std::string>& roles,
                                                     const std::vector<std::string>& groups) {
  Principal who;
  who.organization = organization;
  who.user = person.id;
  ASSIGN_OR_RETURN(who.grants, people.permissions_of(organization, person.id));
  ASSIGN_OR_RETURN(const auto mapped, mapped_rights(people, organization, roles, groups));
  who.grants.add("", mapped.organization);
  for (const auto& [project, set] : mapped.projects) who.grants.add(project, set);
  RETURN_IF_ERROR(keep_open_projects(tenants, organization, who.grants));
  return who;
}

absl::StatusOr<Principal> SignIn::Impl::principal_of(const Identity& identity) {
  if (!identity.program) {
    ASSIGN_OR_RETURN(const auto person, enrolment.person_of(identity));
    return principal_of(person, identity.roles, identity.groups);
  }
  Principal who;
  who.organization = organization;
  who.service_account = "oidc:" + identity.subject;
  ASSIGN_OR_RETURN(who.grants,
                   mapped_rights(people, organization, identity.roles, identity.groups));
  RETURN_IF_ERROR(keep_open_projects(tenants, organization, who.grants));
  if (!who.grants.anywhere().empty()) return who;
  return absl::PermissionDeniedError(
      "Your identity provider knows this program, and gives it no role that means something here.");
}

absl::StatusOr<Principal> SignIn::by_token(std::string_view token) {
  if (impl_->provider == nullptr)
    return absl::UnauthenticatedError("This service takes no access tokens.");
  const auto generation = impl_->known.generation();
  ASSIGN_OR_RETURN(const auto identity, impl_->provider->verify(token));
  ASSIGN_OR_RETURN(auto who, impl_->principal_of(identity));
  impl_->known.add(token_key(token), who, identity.expires_unix_s + kJwtLeeway.count(), generation);
  return who;
}

absl::StatusOr<bool> SignIn::glance(std::string_view token) {
  if (impl_->provider == nullptr)
    return absl::UnauthenticatedError("This service takes no access tokens.");
  return impl_->provider->glance(token);
}

// `who`: what its session says.
absl::StatusOr<store::PersonRow> SignIn::Impl::person_of_session(std::string_view id,
                                                                 Identity& who) {
  auto found = sessions->find(id);
  if (absl::IsUnauthenticated(found.status())) return signed_out();
  RETURN_IF_ERROR(found.status());
  who = *std::move(found);
  auto person = people.users().find(organization, who.subject);
  if (absl::IsNotFound(person.status()) || (person.ok() && person->disabled_s)) return signed_out();
  return person;
}

absl::StatusOr<Principal> SignIn::by_session(std::string_view id) {
  const auto generation = impl_->known.generation();
  Identity identity;
  ASSIGN_OR_RETURN(const auto person, impl_->person_of_session(id, identity));
  ASSIGN_OR_RETURN(auto who, impl_->principal_of(person, identity.roles, identity.groups));
  impl_->known.add(session_key(id), who, INT64_MAX, generation);
  return who;
}

std::optional<Principal> SignIn::known_token(std::string_view token) const {
  return impl_->known.find(token_key(token));
}
std::optional<Principal> SignIn::known_session(std::string_view id) const {
  return impl_->known.find(session_key(id));
}
void SignIn::forget() { impl_->known.forget(); }

absl::StatusOr<NewSession> SignIn::Impl::begin(const store::PersonRow& person,
                                               const Identity& proof, std::string_view how,
                                               std::string_view source) {
  Identity who;
  who.issuer = kPersonIssuer;
  who.subject = person.id;
  who.roles = proof.roles;
  who.groups = proof.groups;
  NewSession made{"", person};
  RETURN_IF_ERROR(database.transaction("sign in", [&](store::Sql&) -> absl::Status {
    auto id = sessions->create(who);
    // Disabled or gone since.
    if (absl::IsNotFound(id.status())) return signed_out();
    if (!id.ok()) return id.status();
    made.id = *std::move(id);
    auto event = event_of("login.succeeded", person, source);
    event.details["data"] = base::json::object{{"method", how}};
    return audit.append(event);
  }));
  return made;
}

absl::Status SignIn::Impl::failed(absl::Status why, std::string_view type, std::string_view source,
                                  std::string_view endpoint) {
  if (!absl::IsUnauthenticated(why) && !absl::IsPermissionDenied(why) &&
      !absl::IsResourceExhausted(why)) {
    return why;
  }
  AuditEvent event;
  event.type = type;
  event.actor = {"session", "", "", "", "", std::string(source)};
  event.organization = organization;
  event.details = {{"error_message", std::string(base::message(why))}};
  audit.refused(event, endpoint);
  return why;
}

absl::StatusOr<SignInStart> SignIn::begin_at_provider(const std::string& redirect_uri) {
  if (impl_->provider == nullptr)
    return base::failed_precondition("This service has no identity provider.");
  return impl_->provider->begin_sign_in(redirect_uri);
}

absl::StatusOr<NewSession> SignIn::finish_at_provider(const SignInReturn& back,
                                                      std::string_view source) {
  if (impl_->provider == nullptr)
    return base::failed_precondition("This service has no identity provider.");
  const auto identity = impl_->provider->finish_sign_in(back);
  if (!identity.ok())
    return impl_->failed(identity.status(), "login.failed", source, kProviderEndpoint);
  const auto person = impl_->enrolment.person_of(*identity);
  if (!person.ok())
    return impl_->failed(person.status(), "login.failed", source, kProviderEndpoint);
  return impl_->begin(*person, *identity, "identity_provider", source);
}

absl::StatusOr<NewSession> SignIn::by_password(std::string_view name, std::string_view password,
                                               std::string_view source) {
  const auto identity = impl_->users->sign_in(name, password, throttle_source(source));
  if (!identity.ok())
    return impl_->failed(identity.status(), "login.failed", source, kPasswordEndpoint);
  ASSIGN_OR_RETURN(const auto person,
                   impl_->people.users().find_by_email(impl_->organization, identity->subject));
  return impl_->begin(person, {}, "password", source);
}

absl::Status SignIn::sign_out(std::string_view id, std::string_view source) {
  Identity who;
  const auto person = impl_->person_of_session(id, who);
  if (!person.ok())
    return impl_->failed(person.status(), "logout.failed", source, kSignOutEndpoint);
  RETURN_IF_ERROR(impl_->database.transaction("sign out", [&](store::Sql&) -> absl::Status {
    if (auto revoked = impl_->sessions->revoke(id); !revoked.ok()) return revoked;
    return impl_->audit.append(event_of("logout.succeeded", *person, source));
  }));
  forget();
  return absl::OkStatus();
}

absl::StatusOr<NewSession> SignIn::change_password(std::string_view id, std::string_view current,
                                                   std::string_view fresh,
                                                   std::string_view source) {
  Identity who;
  ASSIGN_OR_RETURN(const auto person, impl_->person_of_session(id, who));
  RETURN_IF_ERROR(check_new_password(fresh));
  if (!person.password_phc || !person.email)
    return base::invalid_argument("This user signs in at the identity provider.");
  const auto proof = impl_->users->sign_in(*person.email, current, throttle_source(source));
  if (!proof.ok()) return impl_->failed(proof.status(), "login.failed", source, kChangeEndpoint);
  ASSIGN_OR_RETURN(const auto phc, hash_password(fresh, system_random_bytes));
  NewSession made{"", person};
  const auto changed =
      impl_->database.transaction("change a password", [&](store::Sql&) -> absl::Status {
        // As it is now: the sign-in may have renewed the hash.
        ASSIGN_OR_RETURN(const auto now,
                         impl_->people.users().find(person.organization, person.id));
        RETURN_IF_ERROR(impl_->people.users().set_password(person.id, now.password_phc, phc));
        RETURN_IF_ERROR(impl_->sessions->revoke_all(std::string(kPersonIssuer), person.id));
        ASSIGN_OR_RETURN(made.id, impl_->sessions->create(who));
        auto event = event_of("user.updated", person, source);
        event.details["changes_requested"] = base::json::object{{"password", "changed"}};
        return impl_->audit.append(event);
      });
  RETURN_IF_ERROR(changed);
  forget();
  return made;
}

absl::StatusOr<std::string> SignIn::new_password_hash(const store::PersonRow& person,
                                                      std::string_view password) {
  if (!person.email)
    return base::invalid_argument("The user has no e-mail address, and so no name to sign in by.");
  RETURN_IF_ERROR(account_name(*person.email).status());
  RETURN_IF_ERROR(check_new_password(password));
  return hash_password(password, system_random_bytes);
}

absl::Status SignIn::set_password(const store::PersonRow& person, const std::string& hash) {
  const auto set = impl_->database.transaction("set a password", [&](store::Sql&) -> absl::Status {
    ASSIGN_OR_RETURN(const auto now, impl_->people.users().find(person.organization, person.id));
    RETURN_IF_ERROR(impl_->people.users().set_password(person.id, now.password_phc, hash));
    return impl_->sessions->revoke_all(std::string(kPersonIssuer), person.id);
  });
  RETURN_IF_ERROR(set);
  forget();
  return absl::OkStatus();
}

}  // namespace plinth::governance
