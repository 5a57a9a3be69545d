#include "apps/model_summary.h"

#include <fmt/format.h>

#include "model/model_file.h"

namespace plinth {

namespace {

// "134.5 M"
std::string human_count(std::int64_t count) {
  const auto value = static_cast<double>(count);
  if (value >= 1e9) return fmt::format("{:.2f} B", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.1f} M", value / 1e6);
  return std::to_string(count);
}

}  // namespace

absl::StatusOr<base::json::object> summarize_model(const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, model::open_model(path));
  const auto& spec = file->spec;
  return base::json::object{{"architecture", spec.architecture},
                            {"layers", spec.layers},
                            {"width", spec.width},
                            {"parameters", file->parameters},
                            {"context", spec.context},
                            {"vocabulary", spec.vocab},
                            {"quantization", file->quantization},
                            {"license", file->license},
                            {"chat_template", !file->chat_template.empty()}};
}

std::string summary_lines(const base::json::object& summary) {
  const auto text = [&](const char* key) { return std::string_view(summary.at(key).as_string()); };
  const auto number = [&](const char* key) { return summary.at(key).as_int64(); };
  std::string lines = fmt::format(
      "  model    {}, {} parameters, {} layers of {}\n"
      "  context  {} tokens, vocabulary of {}\n"
      "  weights  {}\n"
      "  template {}\n",
      text("architecture"), human_count(number("parameters")), number("layers"), number("width"),
      number("context"), number("vocabulary"), text("quantization"),
      summary.at("chat_template").as_bool() ? "yes" : "none");
  if (!text("license").empty()) {
    lines += fmt::format("  card     licence {}\n", text("license"));
  }
  return lines;
}

}  // namespace plinth
