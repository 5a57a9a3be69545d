// Which authorities an organization and its projects take clients' certificates from, and whether
// a certificate is one of theirs.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "governance/random_bytes.h"
#include "store/certificate_store.h"

namespace plinth::governance {

// Thread-safe. NotFound, InvalidArgument and FailedPrecondition are worded for who administers.
class ClientCertificates {
 public:
  // The references outlive it.
  ClientCertificates(store::Database& database, const base::Clock& clock, RandomBytes random)
      : clock_(clock), random_(std::move(random)), rows_(database) {}

  // InvalidArgument as of parse_client_ca(), for one that is there already and for one too many.
  absl::StatusOr<store::CertificateRow> add(const std::string& organization, const std::string& pem,
                                            const std::optional<std::string>& name);
  absl::Status rename(const std::string& organization, const std::string& id,
                      const std::optional<std::string>& name);
  absl::Status remove(const std::string& organization, const std::string& id);
  // project "" = in the whole organization. At most kClientCasAtOnce of them. InvalidArgument
  // where one to be activated has expired.
  absl::Status set_active(const std::string& organization, const std::string& project,
                          const std::vector<std::string>& ids, bool active);
  store::CertificateStore& rows() { return rows_; }  // to read

  // As check(), for every request: what it let in is let in for kClientCheckKept without another
  // look, which is how late a change of another gateway holds. `is_required`: an organization and a
  // project without an active authority let nobody in.
  absl::Status admit(std::span<const std::string> chain, const std::string& organization,
                     const std::string& project, bool is_required);

  // Whether whoever presents `chain` (DER, the client's own first, "" or nothing = none was
  // presented) may call in the project: OK where no authority is active there or in the whole
  // organization, or one of them signed it, by way of the rest of the chain, for clients and at
  // `now_s`. Else PermissionDenied says why; Unavailable where the database is away.
  absl::Status check(std::span<const std::string> chain, const std::string& organization,
                     const std::string& project, std::int64_t now_s);

 private:
  absl::Status check(std::span<const std::string> chain, const std::string& organization,
                     const std::string& project, std::int64_t now_s, bool is_required);
  void forget();

  const base::Clock& clock_;
  const RandomBytes random_;
  store::CertificateStore rows_;
  std::mutex mutex_;
  // What was let in, and until when; protected by mutex_.
  std::map<std::string, base::TimePoint> admitted_;
};

}  // namespace plinth::governance
