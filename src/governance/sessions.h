// Sessions of people who have signed in. The browser holds a random id; the rows hold only its
// keyed hash, so that who reads them can use none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "governance/identity.h"
#include "governance/random_bytes.h"

namespace plinth::governance {

struct SessionRow {
  std::string id_hash;  // 64 hexadecimal digits
  Identity who;
  std::int64_t created_unix_s = 0;
  std::int64_t used_unix_s = 0;
};

// Where rows are kept. Implementations are thread-safe.
class SessionRows {
 public:
  virtual ~SessionRows() = default;
  virtual absl::Status insert(const SessionRow& row) = 0;
  // NotFound where there is none. Timing may tell how hashes compare: nobody outside knows the key.
  virtual absl::StatusOr<SessionRow> find(const std::string& id_hash) = 0;
  // Never brings back a row that was erased meanwhile: OK where there is none.
  virtual absl::Status touch(const std::string& id_hash, std::int64_t used_unix_s) = 0;
  // OK where there is none.
  virtual absl::Status erase(const std::string& id_hash) = 0;
  // Those of one user, longest unused first.
  virtual absl::StatusOr<std::vector<SessionRow>> of_user(const std::string& issuer,
                                                          const std::string& subject) = 0;
  // Drops rows last used at or before the one or created at or before the other.
  virtual absl::Status erase_ended(std::int64_t used_unix_s, std::int64_t created_unix_s) = 0;
  virtual absl::StatusOr<std::size_t> count() = 0;
};

// Rows in memory: a restart signs everybody out.
std::unique_ptr<SessionRows> memory_session_rows();

// Thread-safe. A session ends kSessionIdleMax after its last use, give or take kSessionTouch, and
// kSessionTimeMax after its beginning.
class Sessions {
 public:
  // `hash_key`: at least kSessionKeyBytesMin secret bytes; with another key all sessions are over.
  // InvalidArgument where it is shorter.
  static absl::StatusOr<std::unique_ptr<Sessions>> open(std::unique_ptr<SessionRows> rows,
                                                        std::string hash_key, RandomBytes random,
                                                        const base::Clock& clock);
  ~Sessions();

  // A new session's id, 43 characters of base64url holding 256 random bits, for a cookie. Always a
  // new one: an id that somebody planted in the browser before means nothing. Ends the user's
  // longest unused session past kSessionsPerUserMax; ResourceExhausted past kSessionsMax.
  absl::StatusOr<std::string> create(const Identity& who);
  // Unauthenticated where the session is unknown, revoked or over. Counts as a use.
  absl::StatusOr<Identity> find(std::string_view id);
  absl::Status revoke(std::string_view id);
  absl::Status revoke_all(const std::string& issuer, const std::string& subject);

 private:
  struct Impl;
  explicit Sessions(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::governance
