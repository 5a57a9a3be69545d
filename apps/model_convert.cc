#include "apps/model_convert.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "model/adapter_merge.h"
#include "model/gguf_copy.h"
#include "model/gguf_export.h"
#include "model/hf_export.h"

namespace plinth {

namespace {

using tensor::DType;

absl::StatusOr<DType> type_of(const ConvertOptions& options) {
  const bool folder = options.format == "safetensors";
  if (options.type.empty()) return folder ? DType::bf16 : DType::q8_0;
  const auto type = tensor::dtype_named(options.type);
  const bool plain = type == DType::f32 || type == DType::f16 || type == DType::bf16;
  if (type && (plain || !folder)) return *type;
  return base::invalid_argument(
      fmt::format("--type {}: {}", options.type,
                  folder ? "f32, f16 and bf16 are types of safetensors"
                         : "no type of GGUF that is known (q8_0, q4_0, q4_k, f16, ... are)"));
}

// What lies in the files of an installed model, or of an adapter's base with the adapter.
struct Source {
  std::string path;
  std::unique_ptr<model::ModelFile> file;
  std::optional<model::AdapterFile> adapter;
};

absl::StatusOr<Source> open_source(const cluster::ModelLibrary& library, HomeModels& home,
                                   const cluster::InstalledModel& installed) {
  Source source;
  source.path = library.open_path(installed);
  if (installed.base.empty()) {
    ASSIGN_OR_RETURN(source.file, model::open_model(source.path));
    return source;
  }
  ASSIGN_OR_RETURN(const auto base, library.find(installed.base));
  source.path = library.open_path(base);
  ASSIGN_OR_RETURN(source.file, model::open_model(source.path));
  ASSIGN_OR_RETURN(source.adapter, home.open(installed, source.file->spec));
  return source;
}

absl::Status write_folder(const Source& source, DType type, const std::string& target) {
  if (!source.adapter)
    return model::write_hf_folder(*source.file, source.file->weights, type, target);
  const auto merged = model::merge_adapter(source.file->weights, *source.adapter);
  return model::write_hf_folder(*source.file, merged.weights, type, target);
}

absl::Status write_file(const Source& source, DType type, const std::string& target) {
  const bool plain = type == DType::f32 || type == DType::f16 || type == DType::bf16;
  const DType outer = plain ? type : DType::q8_0;
  if (std::filesystem::is_directory(source.path)) {
    const model::GgufTypes types{type, outer};
    if (!source.adapter)
      return model::write_gguf(*source.file, source.file->weights, types, target);
    const auto merged = model::merge_adapter(source.file->weights, *source.adapter);
    return model::write_gguf(*source.file, merged.weights, types, target);
  }
  model::GgufCopy copy{source.path, target, {}, type};
  copy.all = true;
  copy.outer = outer;
  if (source.adapter) model::add_adapter(*source.adapter, copy);
  return model::copy_gguf(copy);
}

}  // namespace

absl::Status convert_model(const cluster::ModelLibrary& library, HomeModels& home,
                           const cluster::InstalledModel& model, const ConvertOptions& options,
                           const std::string& target) {
  ASSIGN_OR_RETURN(const auto type, type_of(options));
  std::error_code error;
  if (std::filesystem::exists(target, error))
    return base::failed_precondition(fmt::format("{} is there already", target));
  ASSIGN_OR_RETURN(const auto source, open_source(library, home, model));
  return options.format == "gguf" ? write_file(source, type, target)
                                  : write_folder(source, type, target);
}

}  // namespace plinth
