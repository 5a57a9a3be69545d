#include "governance/sign_in/session_key.h"

#include "base/file.h"
#include "governance/random_bytes.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

absl::StatusOr<std::string> load_session_key(const std::string& home) {
  const std::string path = home + "/secrets/session_key";
  RETURN_IF_ERROR(base::make_folders(home + "/secrets", 0700));
  auto key = base::read_file(path, kSessionKeyBytesMin);
  if (key.ok() && key->size() == kSessionKeyBytesMin) return key;
  if (!absl::IsNotFound(key.status()))
    return base::failed_precondition(path + ": damaged; without it all sessions are over");
  ASSIGN_OR_RETURN(const std::string fresh, system_random_bytes(kSessionKeyBytesMin));
  RETURN_IF_ERROR(base::write_file_atomic(path, fresh, 0600));
  return fresh;
}

}  // namespace plinth::governance
