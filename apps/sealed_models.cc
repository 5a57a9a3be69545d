#include "apps/sealed_models.h"

#include <fmt/format.h>

#include "store/sha256.h"

namespace plinth {

namespace {

// Half of a digest: two names of one installation never have the same.
constexpr std::size_t kIdDigits = 32;

std::string content_id(std::string_view name) {
  store::Sha256 digest;
  digest.update({name.data(), name.size()});
  return "adapter-" + digest.hex().substr(0, kIdDigits);
}

}  // namespace

absl::StatusOr<cluster::SealedFile> SealedModels::open(const std::string& content) {
  const std::lock_guard lock(mutex_);
  auto known = opened_.find(content);
  if (known != opened_.end() && !content_.still_opens(known->second)) {
    opened_.erase(known);
    known = opened_.end();
  }
  if (known == opened_.end()) {
    ASSIGN_OR_RETURN(auto body, content_.hand_out(content));
    known = opened_.emplace(content, std::move(body)).first;
  }
  return cluster::SealedFile{known->second.path, to_bytes(known->second.key)};
}

absl::StatusOr<base::FileBytes> SealedModels::read(const std::string& content) {
  ASSIGN_OR_RETURN(const auto reader, content_.open_body(content));
  ASSIGN_OR_RETURN(auto plain, reader.read(0, static_cast<std::size_t>(reader.plain_bytes())));
  return base::FileBytes(std::move(plain));
}

absl::Status SealedModels::verify(const std::string& content) {
  ASSIGN_OR_RETURN(const auto row, content_.find(content));
  ASSIGN_OR_RETURN(const auto body, content_.hand_out(content));
  ASSIGN_OR_RETURN(const auto digest, store::sha256_file(body.path));
  if (digest != row.sha256)
    return base::data_loss(fmt::format("{}: sha256 is {}, not {}", body.path, digest, row.sha256));
  return read(content).status();
}

absl::StatusOr<cluster::InstalledFile> SealedModels::keep(const cluster::TunedAdapter& adapter,
                                                          std::string_view weights) {
  const auto id = content_id(adapter.name);
  const auto to_file = [&](const store::ContentRow& row) {
    return cluster::InstalledFile{"", row.sha256, static_cast<std::uint64_t>(row.bytes), id};
  };
  if (const auto row = content_.find(id); row.ok()) {
    const auto before = read(id);
    if (before.ok() && before->text() == weights) return to_file(*row);
    RETURN_IF_ERROR(remove(id));
  }
  ASSIGN_OR_RETURN(const auto row, content_.put({id, adapter.organization, adapter.project,
                                                 governance::kAdapterContent},
                                                weights));
  return to_file(row);
}

absl::Status SealedModels::remove(const std::string& content) {
  const auto removed = content_.remove(content);
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

}  // namespace plinth
