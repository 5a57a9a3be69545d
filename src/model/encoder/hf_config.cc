#include "model/encoder/hf_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>

#include "base/file.h"
#include "model/limits.h"

namespace plinth::model {

namespace {

namespace json = base::json;

constexpr std::string_view kSupported[] = {"bert", "roberta", "xlm-roberta", "camembert",
                                           "distilbert"};
constexpr std::string_view kOthers[] = {"nomic_bert", "mpnet",   "albert", "deberta", "deberta-v2",
                                        "modernbert", "electra", "new",    "gte",     "jina_bert"};

bool is_one_of(std::string_view value, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// Typed look-ups in one JSON object; errors name the file and the field.
class Fields {
 public:
  Fields(const json::object& object, std::string path) : object_(object), path_(std::move(path)) {}

  absl::Status fail(std::string_view key, std::string_view what) const {
    return base::invalid_argument(fmt::format("{}: {} {}", path_, key, what));
  }
  const json::value* find(std::string_view key) const {
    const auto* value = object_.if_contains(json::string_view(key.data(), key.size()));
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  absl::StatusOr<std::int32_t> integer(std::string_view key, std::int64_t least,
                                       std::int64_t most) const {
    const auto* value = find(key);
    if (value == nullptr) return fail(key, "is missing");
    if (!value->is_int64() || value->as_int64() < least || value->as_int64() > most) {
      return fail(key, fmt::format("is {}, not in {}..{}", base::to_json(*value), least, most));
    }
    return static_cast<std::int32_t>(value->as_int64());
  }
  absl::StatusOr<std::string> text(std::string_view key, std::string otherwise) const {
    const auto* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_string() || value->as_string().size() > kNameBytesMax) {
      return fail(key, "is no short string");
    }
    return std::string(value->as_string());
  }
  absl::StatusOr<bool> boolean(std::string_view key, bool otherwise) const {
    const auto* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_bool()) return fail(key, "is no boolean");
    return value->as_bool();
  }
  absl::StatusOr<double> number(std::string_view key, double otherwise) const {
    const auto* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_number()) return fail(key, "is no number");
    return value->to_number<double>();
  }

 private:
  const json::object& object_;
  const std::string path_;
};

struct Modules {
  std::string transformer;  // folders, relative; "" = the model's own
  std::string pooling;
  bool has_pooling = false;
  bool normalize = false;
};

absl::StatusOr<Modules> read_modules(const std::string& folder) {
  Modules modules;
  const std::string path = folder + "/modules.json";
  if (!exists(path)) return modules;
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, kConfigBytesMax));
  const auto document = base::parse_json(text);
  if (!document.ok()) return base::annotate(document.status(), path);
  if (!document->is_array() || document->as_array().empty()) {
    return base::invalid_argument(path + ": is no list of modules");
  }
  for (std::size_t i = 0; i < document->as_array().size(); ++i) {
    const auto* module = document->as_array()[i].if_object();
    if (module == nullptr) return base::invalid_argument(fmt::format("{}: [{}]", path, i));
    const Fields fields(*module, fmt::format("{}: [{}]", path, i));
    ASSIGN_OR_RETURN(const std::string type, fields.text("type", ""));
    ASSIGN_OR_RETURN(const std::string inside, fields.text("path", ""));
    if (inside.find('/') != std::string::npos || inside.starts_with('.')) {
      return fields.fail("path", fmt::format("{} is no plain folder name", inside));
    }
    const std::string kind = type.substr(type.rfind('.') + 1);
    if (i == 0 ? kind != "Transformer" : kind != "Pooling" && kind != "Normalize") {
      return base::unimplemented(
          fmt::format("{}: [{}]: module {} is not supported here", path, i, type));
    }
    if (kind == "Transformer") modules.transformer = inside;
    if (kind == "Normalize") modules.normalize = true;
    if (kind == "Pooling") {
      if (modules.has_pooling || modules.normalize) return fields.fail("type", "is out of order");
      modules.has_pooling = true;
      modules.pooling = inside;
    }
  }
  return modules;
}

absl::StatusOr<Pooling> read_pooling(const std::string& folder, std::int32_t width) {
  const std::string path = folder + "/config.json";
  ASSIGN_OR_RETURN(const auto object, read_json_object(path));
  const Fields fields(object, path);
  if (fields.find("word_embedding_dimension") != nullptr) {
    RETURN_IF_ERROR(fields.integer("word_embedding_dimension", width, width).status());
  }
  std::string chosen;
  for (const auto& [key, value] : object) {
    const std::string_view name(key.data(), key.size());
    if (!name.starts_with("pooling_mode_")) continue;
    ASSIGN_OR_RETURN(const bool on, fields.boolean(name, false));
    if (!on) continue;
    if (!chosen.empty()) {
      return base::unimplemented(
          fmt::format("{}: {} and {} together are not supported", path, chosen, name));
    }
    chosen = std::string(name);
  }
  if (chosen == "pooling_mode_mean_tokens") return Pooling::mean;
  if (chosen == "pooling_mode_cls_token") return Pooling::cls;
  if (chosen == "pooling_mode_max_tokens") return Pooling::max;
  if (chosen.empty()) return base::invalid_argument(path + ": no pooling_mode_* is true");
  return base::unimplemented(fmt::format(
      "{}: {} is not supported (mean_tokens, cls_token, max_tokens are)", path, chosen));
}

absl::StatusOr<EncoderActivation> activation_of(const Fields& fields, std::string_view key) {
  ASSIGN_OR_RETURN(const std::string name, fields.text(key, "gelu"));
  if (name == "gelu") return EncoderActivation::gelu_erf;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return EncoderActivation::gelu_tanh;
  if (name == "relu") return EncoderActivation::relu;
  return base::unimplemented(
      std::string(base::message(fields.fail(key, fmt::format("{} is not supported", name)))));
}

// What DistilBERT's config calls the same things.
struct Names {
  const char *layers, *width, *heads, *ff, *activation;
};
constexpr Names kBertNames = {"num_hidden_layers", "hidden_size", "num_attention_heads",
                              "intermediate_size", "hidden_act"};
constexpr Names kDistilNames = {"n_layers", "dim", "n_heads", "hidden_dim", "activation"};

absl::Status read_spec(const Fields& fields, EncoderSpec& spec) {
  const bool distil = spec.architecture == "distilbert";
  const bool bert = spec.architecture == "bert";
  const Names& names = distil ? kDistilNames : kBertNames;
  ASSIGN_OR_RETURN(spec.layers, fields.integer(names.layers, 1, kLayersMax));
  ASSIGN_OR_RETURN(spec.width, fields.integer(names.width, 1, kWidthMax));
  ASSIGN_OR_RETURN(spec.heads, fields.integer(names.heads, 1, spec.width));
  if (spec.width % spec.heads != 0) {
    return fields.fail(names.heads, fmt::format("is {} for a width of {}", spec.heads, spec.width));
  }
  ASSIGN_OR_RETURN(spec.ff_width, fields.integer(names.ff, 1, kWidthMax));
  ASSIGN_OR_RETURN(spec.vocab, fields.integer("vocab_size", 1, kVocabMax));
  ASSIGN_OR_RETURN(spec.positions, fields.integer("max_position_embeddings", 1, kContextMax));
  if (!distil) {
    ASSIGN_OR_RETURN(spec.token_types, fields.integer("type_vocab_size", 0, 1024));
    ASSIGN_OR_RETURN(const double epsilon, fields.number("layer_norm_eps", 1e-12));
    if (!(epsilon > 0 && epsilon < 1)) {
      return fields.fail("layer_norm_eps", fmt::format("is {}", epsilon));
    }
    spec.norm_epsilon = static_cast<float>(epsilon);
  }
  if (!distil && !bert) {
    // RoBERTa counts positions from the one after its padding token's id.
    std::int32_t pad = 1;
    if (fields.find("pad_token_id") != nullptr) {
      ASSIGN_OR_RETURN(pad, fields.integer("pad_token_id", 0, spec.positions - 2));
    }
    spec.position_offset = pad + 1;
  }
  if (spec.positions <= spec.position_offset) {
    return fields.fail("max_position_embeddings", fmt::format("is {}", spec.positions));
  }
  spec.context = spec.positions - spec.position_offset;
  ASSIGN_OR_RETURN(spec.activation, activation_of(fields, names.activation));
  ASSIGN_OR_RETURN(const std::string kind, fields.text("position_embedding_type", "absolute"));
  ASSIGN_OR_RETURN(const bool decoder, fields.boolean("is_decoder", false));
  if (kind != "absolute") {
    return base::unimplemented(std::string(base::message(
        fields.fail("position_embedding_type", fmt::format("{} is not supported", kind)))));
  }
  if (decoder) return fields.fail("is_decoder", "is true: this is no encoder");
  return absl::OkStatus();
}

std::string join(const std::string& folder, const std::string& inside) {
  return inside.empty() ? folder : folder + "/" + inside;
}

}  // namespace

bool is_encoder_type(std::string_view model_type) {
  return is_one_of(model_type, kSupported) || is_one_of(model_type, kOthers);
}

absl::StatusOr<json::object> read_json_object(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, kConfigBytesMax));
  auto document = base::parse_json(text);
  if (!document.ok()) return base::annotate(document.status(), path);
  if (!document->is_object()) return base::invalid_argument(path + ": is no JSON object");
  return std::move(document->as_object());
}

absl::StatusOr<std::string> hf_model_type(const std::string& folder) {
  ASSIGN_OR_RETURN(const auto modules, read_modules(folder));
  const std::string path = join(folder, modules.transformer) + "/config.json";
  ASSIGN_OR_RETURN(const auto object, read_json_object(path));
  return Fields(object, path).text("model_type", "");
}

absl::StatusOr<HfEncoderConfig> read_hf_encoder_config(const std::string& folder) {
  ASSIGN_OR_RETURN(const auto modules, read_modules(folder));
  HfEncoderConfig config;
  config.transformer_folder = join(folder, modules.transformer);
  const std::string path = config.transformer_folder + "/config.json";
  ASSIGN_OR_RETURN(const auto object, read_json_object(path));
  const Fields fields(object, path);
  EncoderSpec& spec = config.spec;
  ASSIGN_OR_RETURN(spec.architecture, fields.text("model_type", ""));
  if (!is_one_of(spec.architecture, kSupported)) {
    return base::unimplemented(fmt::format("{}: model_type {} is not supported ({} are)", path,
                                           spec.architecture, fmt::join(kSupported, ", ")));
  }
  RETURN_IF_ERROR(read_spec(fields, spec));
  spec.normalize = modules.normalize;
  if (modules.has_pooling) {
    ASSIGN_OR_RETURN(spec.pooling, read_pooling(join(folder, modules.pooling), spec.width));
  }
  const std::string limit_path = config.transformer_folder + "/sentence_bert_config.json";
  if (exists(limit_path)) {
    ASSIGN_OR_RETURN(const auto limits, read_json_object(limit_path));
    const Fields limit(limits, limit_path);
    if (limit.find("max_seq_length") != nullptr) {
      ASSIGN_OR_RETURN(const auto most, limit.integer("max_seq_length", 1, kContextMax));
      spec.context = std::min(spec.context, most);
    }
  }
  return config;
}

}  // namespace plinth::model
