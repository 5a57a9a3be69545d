#include "api/auth/auth_routes.h"

#include <array>

#include "api/auth/password.h"
#include "api/auth/provider.h"
#include "api/auth/session.h"
#include "api/auth/sign_in_page.h"

namespace plinth::api {

namespace {

using governance::Permission;

// What they do is on record as governance::SignIn writes it.
constexpr std::array kRoutes{
    Route{"GET", "/sign-in", Needs::nothing, show_sign_in_page, {}},
    Route{"GET", "/auth/oidc/start", Needs::nothing, start_at_provider, {}},
    Route{"GET", "/auth/oidc/done", Needs::nothing, finish_at_provider, {}},
    Route{"POST",
          "/auth/sign_in",
          Needs::nothing,
          sign_in_by_password,
          {"signIn", "Begins a session of a local user.", session_schema, sign_in_schema}},
    Route{"POST",
          "/auth/sign_out",
          Needs::nothing,
          sign_out,
          {"signOut", "Ends it.", session_end_schema}},
    Route{"GET",
          "/auth/session",
          Needs::nothing,
          show_session,
          {"retrieveSession", "Who asks, and what they may.", own_session_schema}},
    Route{"POST",
          "/auth/password",
          Needs::nothing,
          change_password,
          {"changePassword", "Changes one's own password and ends all other sessions.",
           session_schema, password_change_schema}},
    Route{"POST",
          "/v1/organization/users/{user}/password",
          Permission::manage_people,
          set_user_password,
          {"setUserPassword", "Gives a user a password to sign in by; their sessions end.",
           new_password_answer_schema, new_password_schema},
          {"user.updated"},
          prepare_user_password},
};
static_assert(acts_are_recorded(kRoutes), "an act of administration without an event");

}  // namespace

std::span<const Route> auth_routes() { return kRoutes; }

}  // namespace plinth::api
