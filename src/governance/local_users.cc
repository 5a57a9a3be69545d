#include "governance/local_users.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/ascii.h"
#include "governance/refusal.h"
#include "governance/sign_in/encoding.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

namespace {

// A renewed hash has the present cost, so that no second sign-in renews it again.
constexpr int kReplacementsMax = 3;

absl::Status refused() { return absl::UnauthenticatedError("Wrong name or password"); }

// One of the places for a hash, while it lives.
class Place {
 public:
  explicit Place(std::atomic<int>& taken) : taken_(taken), mine_(++taken) {}
  ~Place() { --taken_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  absl::Status status() const {
    if (mine_ <= kPasswordChecksAtOnce) return absl::OkStatus();
    return base::unavailable("[users] too many people are signing in; try again");
  }

 private:
  std::atomic<int>& taken_;
  const int mine_;
};

}  // namespace

absl::StatusOr<std::string> account_name(std::string_view name) {
  constexpr std::string_view kOther = "._-@+";
  const bool good = !name.empty() && name.size() <= kAccountNameBytesMax &&
                    std::ranges::all_of(name, [&](char c) {
                      return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                             kOther.find(c) != std::string_view::npos;
                    });
  if (!good) {
    return base::invalid_argument("[users] a name is 1 to 128 letters, digits and . _ - @ +");
  }
  return absl::AsciiStrToLower(base::to_absl(name));
}

struct LocalUsers::Impl {
  Impl(LocalUserRows& rows_, SignInThrottle& throttle_, RandomBytes random_,
       LocalUsersOptions options_, std::string decoy)
      : rows(rows_),
        throttle(throttle_),
        random(std::move(random_)),
        options(std::move(options_)),
        decoy_phc(std::move(decoy)) {}

  LocalUserRows& rows;
  SignInThrottle& throttle;
  const RandomBytes random;
  const LocalUsersOptions options;
  const std::string decoy_phc;  // of a password that nobody knows
  std::atomic<int> hashing{0};

  // The row that the password opens, or why not. Always checks one hash.
  absl::StatusOr<LocalUserRow> opened(const std::string& name, std::string_view password) {
    auto row = rows.find(name);
    if (!row.ok() && !absl::IsNotFound(row.status())) return row.status();
    ASSIGN_OR_RETURN(const bool fits,
                     options.fits(password, row.ok() ? row->password_phc : decoy_phc));
    if (!row.ok() || !fits || row->disabled) return refused();
    return row;
  }
  // Left for the next time where it does not work out: the old hash is still good.
  void rehash(const LocalUserRow& row, std::string_view password) {
    if (!needs_rehash(row.password_phc, options.cost)) return;
    const auto phc = hash_password(password, random, options.cost);
    if (phc.ok()) rows.replace_password(row.name, row.password_phc, *phc).IgnoreError();
  }
};

LocalUsers::LocalUsers(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalUsers::~LocalUsers() = default;

absl::StatusOr<std::unique_ptr<LocalUsers>> LocalUsers::open(LocalUserRows& rows,
                                                             SignInThrottle& throttle,
                                                             RandomBytes random,
                                                             LocalUsersOptions options) {
  ASSIGN_OR_RETURN(const std::string unknown, random(32));
  ASSIGN_OR_RETURN(std::string decoy, hash_password(base64url(unknown), random, options.cost));
  auto impl = std::make_unique<Impl>(rows, throttle, std::move(random), std::move(options),
                                     std::move(decoy));
  return std::unique_ptr<LocalUsers>(new LocalUsers(std::move(impl)));
}

absl::StatusOr<Identity> LocalUsers::sign_in(std::string_view name, std::string_view password,
                                             std::string_view source) {
  const auto account = account_name(name);
  if (!account.ok()) return refused();  // nobody's, whoever looks
  const Place place(impl_->hashing);
  RETURN_IF_ERROR(place.status());
  const base::Duration wait = impl_->throttle.admit(*account, source);
  if (wait > base::Duration::zero()) {
    return refuse(fmt::format("Too many failed attempts; wait {} s.",
                              std::chrono::ceil<std::chrono::seconds>(wait).count()),
                  {RefusalKind::requests, wait});
  }
  const auto row = impl_->opened(*account, password);
  if (absl::IsUnauthenticated(row.status())) return row.status();
  if (!row.ok()) {
    impl_->throttle.undone(*account, source);
    return row.status();
  }
  impl_->throttle.succeeded(*account, source);
  impl_->rehash(*row, password);
  Identity who;
  who.issuer = kLocalIssuer;
  who.subject = row->name;
  who.name = row->name;
  who.roles = row->roles;
  std::ranges::sort(who.roles);
  return who;
}

absl::Status LocalUsers::create(std::string_view name, std::string_view password,
                                const std::vector<std::string>& roles) {
  LocalUserRow row;
  ASSIGN_OR_RETURN(row.name, account_name(name));
  RETURN_IF_ERROR(check_new_password(password));
  const Place place(impl_->hashing);
  RETURN_IF_ERROR(place.status());
  ASSIGN_OR_RETURN(row.password_phc, hash_password(password, impl_->random, impl_->options.cost));
  row.roles = roles;
  return impl_->rows.insert(row);
}

absl::Status LocalUsers::set_password(std::string_view name, std::string_view password) {
  ASSIGN_OR_RETURN(const std::string account, account_name(name));
  RETURN_IF_ERROR(check_new_password(password));
  const Place place(impl_->hashing);
  RETURN_IF_ERROR(place.status());
  ASSIGN_OR_RETURN(const std::string phc,
                   hash_password(password, impl_->random, impl_->options.cost));
  absl::Status replaced = absl::OkStatus();
  // A sign-in may renew the old hash meanwhile; what is set here wins.
  for (int tries = 0; tries < kReplacementsMax; ++tries) {
    ASSIGN_OR_RETURN(const LocalUserRow row, impl_->rows.find(account));
    replaced = impl_->rows.replace_password(account, row.password_phc, phc);
    if (!absl::IsAborted(replaced)) break;
  }
  return replaced;
}

}  // namespace plinth::governance
