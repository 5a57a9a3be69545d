#include "governance/client_certificates.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <memory>

#include "absl/strings/escaping.h"
#include "governance/client_ca.h"
#include "governance/client_certificate_limits.h"
#include "governance/sign_in/keyed_hash.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kIdBytes = 12;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

absl::Status denied(std::string_view why) {
  return absl::PermissionDeniedError(base::to_absl(why));
}

absl::StatusOr<Owned<X509>> read_der(const std::string& der) {
  if (der.size() > kClientCaBytesMax) return denied("The client certificate is too long.");
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const auto* end = bytes + der.size();
  Owned<X509> certificate(d2i_X509(nullptr, &bytes, static_cast<long>(der.size())));
  ERR_clear_error();
  if (certificate == nullptr || bytes != end)
    return denied("The client certificate cannot be read.");
  return certificate;
}

// What is trusted: the authorities alone, also those that another one signed.
absl::StatusOr<Owned<X509_STORE>> store_of(const std::vector<store::CertificateRow>& authorities) {
  Owned<X509_STORE> trusted(X509_STORE_new());
  if (trusted == nullptr) return base::internal("[client certificates] no memory");
  X509_STORE_set_flags(trusted.get(), X509_V_FLAG_PARTIAL_CHAIN);
  for (const auto& row : authorities) {
    const Owned<BIO> bio(BIO_new_mem_buf(row.content.data(), static_cast<int>(row.content.size())));
    const Owned<X509> authority(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (authority == nullptr || X509_STORE_add_cert(trusted.get(), authority.get()) != 1) {
      ERR_clear_error();
      return base::data_loss(fmt::format("[client certificates] {} cannot be read", row.id));
    }
  }
  return trusted;
}

absl::Status verify(std::span<const std::string> chain, X509_STORE* trusted, std::int64_t now_s) {
  ASSIGN_OR_RETURN(const auto leaf, read_der(chain.front()));
  const Owned<STACK_OF(X509)> between(sk_X509_new_null());
  for (const auto& der : chain.subspan(1)) {
    ASSIGN_OR_RETURN(auto one, read_der(der));
    if (sk_X509_push(between.get(), one.get()) <= 0)
      return base::internal("[client certificates] no memory");
    (void)one.release();  // the stack's now
  }
  const Owned<X509_STORE_CTX> context(X509_STORE_CTX_new());
  if (context == nullptr ||
      X509_STORE_CTX_init(context.get(), trusted, leaf.get(), between.get()) != 1)
    return base::internal("[client certificates] no memory");
  auto* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(parameters, now_s);
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(kClientChainMax));
  X509_VERIFY_PARAM_set_auth_level(parameters, kClientAuthLevel);
  X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT);
  const bool good = X509_verify_cert(context.get()) == 1;
  const auto error = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  if (good) return absl::OkStatus();
  return denied(fmt::format("The client certificate is not accepted: {}.",
                            X509_verify_cert_error_string(error)));
}

}  // namespace

absl::StatusOr<store::CertificateRow> ClientCertificates::add(
    const std::string& organization, const std::string& pem,
    const std::optional<std::string>& name) {
  const auto now_s = clock_.unix_seconds();
  ASSIGN_OR_RETURN(const auto ca, parse_client_ca(pem, now_s));
  ASSIGN_OR_RETURN(const auto bytes, random_(kIdBytes));
  store::CertificateRow row;
  row.id = "cert_" + absl::BytesToHexString(base::to_absl(bytes));
  row.organization = organization;
  row.name = name;
  row.content = ca.pem;
  row.fingerprint = ca.fingerprint;
  row.valid_s = ca.valid_s;
  row.expires_s = ca.expires_s;
  row.created_s = now_s;
  const auto status = rows_.insert(row, kClientCasMax);
  if (absl::IsAlreadyExists(status) || absl::IsResourceExhausted(status))
    return base::invalid_argument(base::message(status));
  RETURN_IF_ERROR(status);
  return row;
}

absl::Status ClientCertificates::rename(const std::string& organization, const std::string& id,
                                        const std::optional<std::string>& name) {
  return rows_.rename(organization, id, name);
}

absl::Status ClientCertificates::remove(const std::string& organization, const std::string& id) {
  return rows_.remove(organization, id);  // only what is active nowhere
}

absl::Status ClientCertificates::set_active(const std::string& organization,
                                            const std::string& project,
                                            const std::vector<std::string>& ids, bool active) {
  if (ids.empty() || ids.size() > kClientCasAtOnce)
    return base::invalid_argument(fmt::format("Give 1 to {} certificates.", kClientCasAtOnce));
  for (const auto& id : ids) {
    ASSIGN_OR_RETURN(const auto row, rows_.find(organization, id));
    if (active && row.expires_s <= clock_.unix_seconds())
      return base::invalid_argument(fmt::format("The certificate {} has expired.", id));
  }
  const auto status = rows_.set_active(organization, project, ids, active);
  forget();
  return status;
}

absl::Status ClientCertificates::check(std::span<const std::string> chain,
                                       const std::string& organization, const std::string& project,
                                       std::int64_t now_s) {
  return check(chain, organization, project, now_s, false);
}

absl::Status ClientCertificates::check(std::span<const std::string> chain,
                                       const std::string& organization, const std::string& project,
                                       std::int64_t now_s, bool is_required) {
  ASSIGN_OR_RETURN(auto authorities, rows_.active(organization, ""));
  if (!project.empty()) {
    ASSIGN_OR_RETURN(auto more, rows_.active(organization, project));
    authorities.insert(authorities.end(), std::make_move_iterator(more.begin()),
                       std::make_move_iterator(more.end()));
  }
  if (authorities.empty() && !is_required) return absl::OkStatus();
  if (authorities.empty())
    return denied("Client certificates are required here, and no authority of them is active.");
  if (chain.empty() || chain.front().empty())
    return denied("A client certificate is required here, and none was presented.");
  if (chain.size() > kClientChainMax) return denied("The client certificate's chain is too long.");
  ASSIGN_OR_RETURN(const auto trusted, store_of(authorities));
  return verify(chain, trusted.get(), now_s);
}

absl::Status ClientCertificates::admit(std::span<const std::string> chain,
                                       const std::string& organization, const std::string& project,
                                       bool is_required) {
  std::string name = organization + "/" + project + "/";
  for (const auto& der : chain) name += sha256(der);
  name = sha256(name);
  const auto now = clock_.now();
  {
    std::lock_guard lock(mutex_);
    const auto known = admitted_.find(name);
    if (known != admitted_.end() && now < known->second) return absl::OkStatus();
  }
  RETURN_IF_ERROR(check(chain, organization, project, clock_.unix_seconds(), is_required));
  std::lock_guard lock(mutex_);
  if (admitted_.size() >= kClientChecksKept) admitted_.clear();
  admitted_[name] = now + kClientCheckKept;
  return absl::OkStatus();
}

void ClientCertificates::forget() {
  std::lock_guard lock(mutex_);
  admitted_.clear();
}

}  // namespace plinth::governance
