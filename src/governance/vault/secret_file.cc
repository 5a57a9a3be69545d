#include "governance/vault/secret_file.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "governance/vault/key_bytes.h"
#include "governance/vault_limits.h"

namespace plinth::governance {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "plinth sealed secret 1\n";

std::string path_of(const std::string& home, const std::string& name) {
  return home + "/secrets/" + name;
}
SealedFor place_of(const std::string& name) { return {"", "", "secret", name}; }

absl::Status write_sealed(const std::string& home, const std::string& name, std::string_view plain,
                          const MasterKey& master) {
  ASSIGN_OR_RETURN(const auto box, master.wrap(place_of(name), plain));
  return base::write_file_atomic(path_of(home, name), std::string(kMagic) + box, 0600);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MasterKey>> open_home_master_key(const std::string& home,
                                                                const RandomBytes& random) {
  RETURN_IF_ERROR(base::make_folders(home + "/secrets", 0700));
  std::error_code error;
  const auto path = fs::weakly_canonical(path_of(home, "master_key"), error);
  return open_master_key_file(error ? path_of(home, "master_key") : path.string(), random);
}

absl::StatusOr<std::string> read_secret(const std::string& home, const std::string& name) {
  ASSIGN_OR_RETURN(auto text, base::read_file(path_of(home, name), kSecretBytesMax));
  ASSIGN_OR_RETURN(const auto master, open_home_master_key(home, system_random_bytes));
  if (text.starts_with(kMagic))
    return master->unwrap(place_of(name), std::string_view(text).substr(kMagic.size()));
  RETURN_IF_ERROR(write_sealed(home, name, text, *master));
  return text;
}

absl::Status write_secret(const std::string& home, const std::string& name,
                          std::string_view plain) {
  ASSIGN_OR_RETURN(const auto master, open_home_master_key(home, system_random_bytes));
  return write_sealed(home, name, plain, *master);
}

absl::StatusOr<std::vector<std::string>> stale_secrets(const std::string& home,
                                                       const MasterKey& master) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(home + "/secrets", error)) {
    if (!entry.is_regular_file(error)) continue;
    const auto text = base::read_file(entry.path(), kSecretBytesMax);
    if (!text.ok() || !text->starts_with(kMagic)) continue;
    ASSIGN_OR_RETURN(const auto id, wrapped_by(std::string_view(*text).substr(kMagic.size())));
    if (id != master.id()) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status rewrap_secret(const std::string& home, const std::string& name,
                           const MasterKey& master) {
  ASSIGN_OR_RETURN(const auto text, base::read_file(path_of(home, name), kSecretBytesMax));
  if (!text.starts_with(kMagic)) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto plain,
                   master.unwrap(place_of(name), std::string_view(text).substr(kMagic.size())));
  auto status = write_sealed(home, name, plain, master);
  wipe(plain);
  return status;
}

}  // namespace plinth::governance
