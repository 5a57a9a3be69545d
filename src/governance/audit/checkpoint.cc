#include "governance/audit/checkpoint.h"

#include <fmt/format.h>

#include "base/json.h"
#include "governance/audit/canonical_json.h"
#include "governance/audit_limits.h"
#include "store/sha256.h"

namespace plinth::governance {

namespace {

using Object = base::json::object;

// So that no other text that the key might ever sign can be taken for a checkpoint.
constexpr char kPurpose[] = "plinth audit checkpoint 1";

std::string text_of(const Object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::int64_t integer_of(const Object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : -1;
}

absl::StatusOr<base::json::value> parse(std::string_view text) {
  base::JsonLimits limits;
  limits.depth_max = 4;
  limits.bytes_max = kAuditLineBytesMax;
  auto parsed = base::parse_json(text, limits);
  if (!parsed.ok() || !parsed->is_object()) return base::data_loss("no checkpoint: no JSON object");
  return parsed;
}

}  // namespace

std::string checkpoint_text(const AuditCheckpoint& checkpoint) {
  return canonical_json(Object{{"purpose", kPurpose},
                               {"size", checkpoint.size},
                               {"head", checkpoint.head},
                               {"root", checkpoint.root},
                               {"time_ms", checkpoint.time_ms},
                               {"key", checkpoint.key}});
}

absl::StatusOr<AuditCheckpoint> parse_checkpoint(std::string_view text) {
  ASSIGN_OR_RETURN(const auto parsed, parse(text));
  const auto& object = parsed.get_object();
  AuditCheckpoint checkpoint{integer_of(object, "size"), text_of(object, "head"),
                             text_of(object, "root"), integer_of(object, "time_ms"),
                             text_of(object, "key")};
  if (checkpoint.size < 1 || !store::is_sha256_hex(checkpoint.head) ||
      !store::is_sha256_hex(checkpoint.root) || checkpoint_text(checkpoint) != text) {
    return base::data_loss("no checkpoint: it is not in canonical form");
  }
  return checkpoint;
}

std::string checkpoint_line(std::string_view text, std::string_view signature) {
  return fmt::format("{{\"checkpoint\":{},\"signature\":\"{}\"}}", text, signature);
}

absl::StatusOr<SignedCheckpoint> parse_checkpoint_line(std::string_view line) {
  ASSIGN_OR_RETURN(const auto parsed, parse(line));
  const auto* inner = parsed.get_object().if_contains("checkpoint");
  if (inner == nullptr) return base::data_loss("no checkpoint: there is none in the line");
  SignedCheckpoint made{{}, canonical_json(*inner), text_of(parsed.get_object(), "signature")};
  ASSIGN_OR_RETURN(made.checkpoint, parse_checkpoint(made.text));
  return made;
}

}  // namespace plinth::governance
