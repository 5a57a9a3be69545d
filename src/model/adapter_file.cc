#include "model/adapter_file.h"

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "model/adapter/adapter_formats.h"
#include "model/adapter/peft_config.h"
#include "model/limits.h"

namespace plinth::model {

namespace {

namespace fs = std::filesystem;

constexpr char kTensorsName[] = "/adapter_model.safetensors";

bool is_folder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

absl::StatusOr<base::json::object> read_config(const std::string& path) {
  ASSIGN_OR_RETURN(const auto text, base::read_file(path, kConfigBytesMax));
  auto parsed = base::parse_json(text);
  if (!parsed.ok()) return parsed.status();
  if (!parsed->is_object()) return base::invalid_argument("no JSON object");
  return std::move(parsed->as_object());
}

absl::StatusOr<AdapterFile> read_adapter(const AdapterPaths& paths, const DecoderSpec& base,
                                         const base::ReadFile& read) {
  ASSIGN_OR_RETURN(const auto file, read(paths.tensors));
  if (paths.config.empty()) {
    ASSIGN_OR_RETURN(const auto gguf, parse_gguf(file.bytes()));
    return read_gguf_adapter(gguf, base);
  }
  const auto config = read_config(paths.config);
  if (!config.ok()) return base::annotate(config.status(), paths.config);
  ASSIGN_OR_RETURN(const auto tensors, parse_safetensors(file.bytes()));
  return read_peft_adapter(*config, tensors, base);
}

}  // namespace

void AdapterPart::add_row(std::int64_t row, float* numbers) const {
  for (std::int64_t r = 0; r < rank; ++r) {
    const float scale = b[static_cast<std::size_t>(row * rank + r)];
    const float* from = a.data() + r * inputs;
    for (std::int64_t i = 0; i < inputs; ++i) numbers[i] += scale * from[i];
  }
}

std::size_t AdapterFile::bytes() const {
  std::size_t sum = 0;
  for (const auto& part : parts) sum += (part.a.size() + part.b.size()) * sizeof(float);
  return sum;
}

bool is_adapter(const std::string& path) {
  std::error_code error;
  if (is_folder(path)) return fs::exists(path + "/" + kPeftConfigName, error);
  const auto file = base::MappedFile::open(path);
  if (!file.ok()) return false;
  const auto gguf = parse_gguf(file->bytes());
  if (!gguf.ok()) return false;
  const auto type = gguf->text("general.type");
  return type.ok() && *type == "adapter";
}

AdapterPaths adapter_paths(const std::string& path) {
  if (!is_folder(path)) return {path, ""};
  return {path + kTensorsName, path + "/" + kPeftConfigName};
}

absl::StatusOr<AdapterFile> open_adapter(const AdapterPaths& paths, const DecoderSpec& base,
                                         const base::ReadFile& read) {
  auto file = read_adapter(paths, base, read);
  if (!file.ok()) return base::annotate(file.status(), paths.tensors);
  return file;
}

std::string adapter_base_name(const std::string& path) {
  if (!is_folder(path)) return "";
  const auto config = read_config(path + "/" + kPeftConfigName);
  if (!config.ok()) return "";
  const auto parsed = parse_peft_config(*config);
  return parsed.ok() ? parsed->base_name : "";
}

}  // namespace plinth::model
