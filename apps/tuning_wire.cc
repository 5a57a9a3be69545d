#include "apps/tuning_wire.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/escaping.h"

namespace plinth {

namespace {

using Object = base::json::object;

constexpr char kExamples[] = "supervised", kPreferences[] = "dpo";

absl::StatusOr<Object> parse_line(std::string_view line) {
  ASSIGN_OR_RETURN(auto value, base::parse_json(line, {.bytes_max = kTuningLineBytesMax}));
  if (!value.is_object()) return base::invalid_argument("a line that is no object");
  return std::move(value.get_object());
}

std::optional<std::int64_t> whole(const Object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  if (value->is_uint64() && value->get_uint64() <= INT64_MAX)
    return static_cast<std::int64_t>(value->get_uint64());
  // A client may write 3.0.
  if (value->is_double() && std::abs(value->get_double()) < 1e15 &&
      std::floor(value->get_double()) == value->get_double())
    return static_cast<std::int64_t>(value->get_double());
  return std::nullopt;
}

std::optional<double> real(const Object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

std::string text_of(const Object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

// Bytes that are no text; "" = none.
absl::Status read_hex(const Object& from, std::string_view name, std::string& to) {
  const auto text = text_of(from, name);
  if (text.empty()) return absl::OkStatus();
  const bool hex = text.size() % 2 == 0 && std::all_of(text.begin(), text.end(), [](char c) {
                     return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                   });
  // Not what it is: it may be a key.
  if (!hex) return base::invalid_argument(std::string(name) + " is not hexadecimal");
  to = absl::HexStringToBytes(base::to_absl(text));
  return absl::OkStatus();
}

std::string to_hex(std::string_view bytes) { return absl::BytesToHexString(base::to_absl(bytes)); }

const Object& object_in(const Object& from, std::string_view name) {
  static const Object none;
  const auto* value = from.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : none;
}

TuningHyperparameters read_hyperparameters(const Object& from) {
  TuningHyperparameters read;
  read.epochs = whole(from, "n_epochs");
  read.batch_size = whole(from, "batch_size");
  read.learning_rate_multiplier = real(from, "learning_rate_multiplier");
  read.rank = whole(from, "lora_rank");
  read.alpha = real(from, "lora_alpha");
  read.beta = real(from, "beta");
  if (const auto* targets = from.if_contains("lora_targets");
      targets != nullptr && targets->is_array()) {
    for (const auto& target : targets->get_array())
      if (target.is_string()) read.targets.emplace_back(target.get_string());
  }
  return read;
}

Object write_hyperparameters(const TuningHyperparameters& from) {
  base::json::array targets;
  for (const auto& target : from.targets) targets.emplace_back(target);
  Object made{{"lora_targets", std::move(targets)}};
  if (from.rank) made["lora_rank"] = *from.rank;
  if (from.alpha) made["lora_alpha"] = *from.alpha;
  if (from.beta) made["beta"] = *from.beta;
  if (from.epochs) made["n_epochs"] = *from.epochs;
  if (from.batch_size) made["batch_size"] = *from.batch_size;
  if (from.learning_rate_multiplier)
    made["learning_rate_multiplier"] = *from.learning_rate_multiplier;
  return made;
}

}  // namespace

TuningHyperparameters hyperparameters_of(const Object& method) {
  const auto type = text_of(method, "type");
  auto read = read_hyperparameters(object_in(object_in(method, type), "hyperparameters"));
  read.prefers = type == kPreferences;
  return read;
}

std::string to_line(const TuningTask& task) {
  return base::to_json(Object{{"base_name", task.base_name},
                              {"base_path", task.base_path},
                              {"adapter_id", task.adapter.id},
                              {"adapter_path", task.adapter.path},
                              {"adapter_config_path", task.adapter.config_path},
                              {"adapter_key", to_hex(task.adapter.key)},
                              {"folder", task.folder},
                              {"key", to_hex(task.key)},
                              {"method", task.hyperparameters.prefers ? kPreferences : kExamples},
                              {"hyperparameters", write_hyperparameters(task.hyperparameters)},
                              {"seed", task.seed},
                              {"threads", task.threads},
                              {"train_bytes", task.train_bytes},
                              {"valid_bytes", task.valid_bytes},
                              {"checks_only", task.checks_only}}) +
         "\n";
}

absl::StatusOr<TuningTask> parse_task(std::string_view line) {
  ASSIGN_OR_RETURN(const auto from, parse_line(line));
  TuningTask task;
  for (const auto& [name, place] :
       {std::pair{"base_name", &task.base_name}, std::pair{"base_path", &task.base_path},
        std::pair{"folder", &task.folder}}) {
    *place = text_of(from, name);
    if (place->empty()) return base::invalid_argument(std::string("no ") + name);
  }
  task.adapter.id = text_of(from, "adapter_id");
  task.adapter.path = text_of(from, "adapter_path");
  task.adapter.config_path = text_of(from, "adapter_config_path");
  RETURN_IF_ERROR(read_hex(from, "adapter_key", task.adapter.key));
  RETURN_IF_ERROR(read_hex(from, "key", task.key));
  for (const auto& [name, place] :
       {std::pair{"seed", &task.seed}, std::pair{"train_bytes", &task.train_bytes},
        std::pair{"valid_bytes", &task.valid_bytes}}) {
    const auto value = whole(from, name);
    if (!value || *value < 0) return base::invalid_argument(std::string("no ") + name);
    *place = static_cast<std::uint64_t>(*value);
  }
  const auto threads = whole(from, "threads");
  if (!threads || *threads < 1 || *threads > 1024) return base::invalid_argument("no threads");
  task.threads = static_cast<int>(*threads);
  task.hyperparameters = read_hyperparameters(object_in(from, "hyperparameters"));
  task.hyperparameters.prefers = text_of(from, "method") == kPreferences;
  const auto* checks = from.if_contains("checks_only");
  task.checks_only = checks != nullptr && checks->is_bool() && checks->get_bool();
  return task;
}

std::int64_t TuningReport::integer(std::string_view name) const {
  return whole(fields, name).value_or(0);
}
double TuningReport::number(std::string_view name) const { return real(fields, name).value_or(0); }
std::string TuningReport::text(std::string_view name) const { return text_of(fields, name); }

std::string to_line(const TuningReport& report) {
  auto all = report.fields;
  all["event"] = report.event;
  return base::to_json(all) + "\n";
}

absl::StatusOr<TuningReport> parse_report(std::string_view line) {
  ASSIGN_OR_RETURN(auto fields, parse_line(line));
  TuningReport report{text_of(fields, "event"), {}};
  if (report.event.empty()) return base::invalid_argument("a line without an event");
  report.fields = std::move(fields);
  return report;
}

}  // namespace plinth
