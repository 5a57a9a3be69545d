// Rows of the certificate authorities that sign clients' certificates, and where each counts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"

namespace plinth::store {

struct CertificateRow {
  std::string id;
  std::string organization = "default";
  std::optional<std::string> name;
  std::string content;      // PEM
  std::string fingerprint;  // SHA-256 of its DER, in hexadecimal digits: unique in an organization
  std::int64_t valid_s = 0, expires_s = 0, created_s = 0;
  bool operator==(const CertificateRow&) const = default;
};

// Thread-safe as its Database is. NotFound names what does not exist in the organization. A project
// "" means the organization as a whole.
class CertificateStore {
 public:
  explicit CertificateStore(Database& database) : database_(database) {}

  // AlreadyExists where it is there; ResourceExhausted where there would be more than `most`.
  absl::Status insert(const CertificateRow& row, std::int64_t most);
  absl::StatusOr<CertificateRow> find(const std::string& organization, const std::string& id);
  // From old to new.
  absl::StatusOr<std::vector<CertificateRow>> list(const std::string& organization);
  absl::Status rename(const std::string& organization, const std::string& id,
                      const std::optional<std::string>& name);
  // FailedPrecondition where it is active anywhere.
  absl::Status remove(const std::string& organization, const std::string& id);

  // All of them or, where one is not there, none. What is so already stays so.
  absl::Status set_active(const std::string& organization, const std::string& project,
                          const std::vector<std::string>& ids, bool active);
  // Of exactly this scope, from old to new.
  absl::StatusOr<std::vector<CertificateRow>> active(const std::string& organization,
                                                     const std::string& project);

 private:
  Database& database_;
};

}  // namespace plinth::store
