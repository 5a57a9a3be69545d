// The key above all keys. Data keys are stored wrapped by it; it is stored beside no data.
//
// The seam for a hardware module: PKCS#11 has a wrap and an unwrap of its own, and keys with ids.
// The one implementation is a file.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "governance/random_bytes.h"
#include "governance/sealed_for.h"

namespace plinth::governance {

// Thread-safe. Generations of a key are there side by side: the current one wraps, all unwrap.
class MasterKey {
 public:
  virtual ~MasterKey() = default;
  // Of the current generation: 32 lower-case hex digits.
  virtual std::string id() const = 0;
  // Of all that are here, the current one first.
  virtual std::vector<std::string> generations() const = 0;
  // `plain`: a key or another small secret. The answer names its generation.
  virtual absl::StatusOr<std::string> wrap(const SealedFor& place,
                                           std::string_view plain) const = 0;
  // DataLoss where it is not what was wrapped for that place; FailedPrecondition names the
  // generation that is not here.
  virtual absl::StatusOr<std::string> unwrap(const SealedFor& place,
                                             std::string_view wrapped) const = 0;
  // A new generation, durable, which is the current one from now on.
  virtual absl::Status renew() = 0;
  // Destroys a generation that is not the current one. NotFound where it is not here.
  virtual absl::Status forget(const std::string& id) = 0;
};

// Of what wrap() returned: its generation. DataLoss where it is none.
absl::StatusOr<std::string> wrapped_by(std::string_view wrapped);

// The file `path` (32 random bytes, mode 0600; made where it is missing) and former generations
// beside it, path.ID. FailedPrecondition names what is wrong with a file: others may read it, or it
// has not 32 bytes.
absl::StatusOr<std::unique_ptr<MasterKey>> open_master_key_file(const std::string& path,
                                                                const RandomBytes& random);

}  // namespace plinth::governance
