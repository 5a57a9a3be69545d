#include "governance/vault/pepper.h"

#include "base/file.h"
#include "governance/random_bytes.h"
#include "governance/vault/secret_file.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kPepperBytes = 32;

}  // namespace

absl::StatusOr<std::string> load_pepper(const std::string& home) {
  const std::string path = home + "/secrets/pepper";
  RETURN_IF_ERROR(base::make_folders(home + "/secrets", 0700));
  auto pepper = read_secret(home, "pepper");
  if (pepper.ok() && pepper->size() == kPepperBytes) return pepper;
  // Its master key is not here, or not its owner's alone.
  if (absl::IsFailedPrecondition(pepper.status())) return pepper.status();
  if (!absl::IsNotFound(pepper.status())) {
    return base::failed_precondition(path + ": damaged; keys cannot be checked without it");
  }
  ASSIGN_OR_RETURN(auto fresh, system_random_bytes(kPepperBytes));
  RETURN_IF_ERROR(write_secret(home, "pepper", fresh));
  return fresh;
}

}  // namespace plinth::governance
