#include "governance/sessions.h"

#include <mutex>
#include <utility>

#include "governance/sign_in/encoding.h"
#include "governance/sign_in/keyed_hash.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kIdBytes = 32;
constexpr std::size_t kIdChars = 43;  // base64url of kIdBytes
static_assert(kIdChars == (kIdBytes * 4 + 2) / 3);

absl::Status over() { return absl::UnauthenticatedError("[sessions] signed out"); }

bool ended(const SessionRow& row, std::int64_t now) {
  return row.used_unix_s <= now - kSessionIdleMax.count() ||
         row.created_unix_s <= now - kSessionTimeMax.count();
}

}  // namespace

struct Sessions::Impl {
  Impl(std::unique_ptr<SessionRows> rows_, std::string key, RandomBytes random_,
       const base::Clock& now)
      : rows(std::move(rows_)), hash_key(std::move(key)), random(std::move(random_)), clock(now) {}

  absl::Status make_room(const Identity& who, std::int64_t now) const;

  const std::unique_ptr<SessionRows> rows;
  const std::string hash_key;
  const RandomBytes random;
  const base::Clock& clock;
  std::mutex create_mutex;  // held while room is made and taken, so that the bounds hold
};

Sessions::Sessions(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sessions::~Sessions() = default;

absl::StatusOr<std::unique_ptr<Sessions>> Sessions::open(std::unique_ptr<SessionRows> rows,
                                                         std::string hash_key, RandomBytes random,
                                                         const base::Clock& clock) {
  if (hash_key.size() < kSessionKeyBytesMin) {
    return base::invalid_argument("[sessions] the key is too short");
  }
  auto impl =
      std::make_unique<Impl>(std::move(rows), std::move(hash_key), std::move(random), clock);
  return std::unique_ptr<Sessions>(new Sessions(std::move(impl)));
}

absl::Status Sessions::Impl::make_room(const Identity& who, std::int64_t now) const {
  ASSIGN_OR_RETURN(const auto own, rows->of_user(who.issuer, who.subject));
  for (std::size_t i = 0; i + kSessionsPerUserMax <= own.size(); ++i) {
    RETURN_IF_ERROR(rows->erase(own[i].id_hash));
  }
  ASSIGN_OR_RETURN(std::size_t count, rows->count());
  if (count < kSessionsMax) return absl::OkStatus();
  RETURN_IF_ERROR(rows->erase_ended(now - kSessionIdleMax.count(), now - kSessionTimeMax.count()));
  ASSIGN_OR_RETURN(count, rows->count());
  if (count < kSessionsMax) return absl::OkStatus();
  return base::resource_exhausted("[sessions] too many people are signed in");
}

absl::StatusOr<std::string> Sessions::create(const Identity& who) {
  ASSIGN_OR_RETURN(const std::string bytes, impl_->random(kIdBytes));
  std::string id = base64url(bytes);
  const std::int64_t now = impl_->clock.unix_seconds();
  std::lock_guard lock(impl_->create_mutex);
  RETURN_IF_ERROR(impl_->make_room(who, now));
  RETURN_IF_ERROR(impl_->rows->insert({keyed_hash(impl_->hash_key, id), who, now, now}));
  return id;
}

absl::StatusOr<Identity> Sessions::find(std::string_view id) {
  if (id.size() != kIdChars) return over();
  auto row = impl_->rows->find(keyed_hash(impl_->hash_key, id));
  if (absl::IsNotFound(row.status())) return over();
  RETURN_IF_ERROR(row.status());
  const std::int64_t now = impl_->clock.unix_seconds();
  if (ended(*row, now)) {
    RETURN_IF_ERROR(impl_->rows->erase(row->id_hash));
    return over();
  }
  if (now - row->used_unix_s >= kSessionTouch.count()) {
    RETURN_IF_ERROR(impl_->rows->touch(row->id_hash, now));
  }
  return std::move(row->who);
}

absl::Status Sessions::revoke(std::string_view id) {
  if (id.size() != kIdChars) return absl::OkStatus();
  return impl_->rows->erase(keyed_hash(impl_->hash_key, id));
}

absl::Status Sessions::revoke_all(const std::string& issuer, const std::string& subject) {
  // A session that begins meanwhile either is among those that are revoked or comes after.
  std::lock_guard lock(impl_->create_mutex);
  ASSIGN_OR_RETURN(const auto own, impl_->rows->of_user(issuer, subject));
  for (const auto& row : own) RETURN_IF_ERROR(impl_->rows->erase(row.id_hash));
  return absl::OkStatus();
}

}  // namespace plinth::governance
