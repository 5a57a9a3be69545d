#include "governance/sign_in/session_key.h"

#include "base/file.h"
#include "governance/random_bytes.h"
#include "governance/sign_in_limits.h"
#include "governance/vault/secret_file.h"

namespace plinth::governance {

absl::StatusOr<std::string> load_session_key(const std::string& home) {
  const std::string path = home + "/secrets/session_key";
  RETURN_IF_ERROR(base::make_folders(home + "/secrets", 0700));
  auto key = read_secret(home, "session_key");
  if (key.ok() && key->size() == kSessionKeyBytesMin) return key;
  // Its master key is not here, or not its owner's alone.
  if (absl::IsFailedPrecondition(key.status())) return key.status();
  if (!absl::IsNotFound(key.status()))
    return base::failed_precondition(path + ": damaged; without it all sessions are over");
  ASSIGN_OR_RETURN(const std::string fresh, system_random_bytes(kSessionKeyBytesMin));
  RETURN_IF_ERROR(write_secret(home, "session_key", fresh));
  return fresh;
}

}  // namespace plinth::governance
