#include "model/chat_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/jinja/interpreter.h"

namespace plinth::model {

namespace {

// Two bytes are punctuation or white space in some vocabularies.
constexpr std::size_t kReservedBytesMin = 3;

bool blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

struct ChatTemplate::Impl {
  std::string source;
  jinja::Body body;
  TemplateLimits limits;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

absl::StatusOr<ChatTemplate> ChatTemplate::parse(std::string_view source,
                                                 const TemplateLimits& limits) {
  if (source.size() > limits.source_bytes_max) {
    return base::resource_exhausted(fmt::format("[template] source of {} bytes is over {}",
                                                source.size(), limits.source_bytes_max));
  }
  auto impl = std::make_unique<Impl>();
  impl->source = source;
  impl->limits = limits;
  ASSIGN_OR_RETURN(impl->body, jinja::parse(source, limits.depth_max));
  return ChatTemplate(std::move(impl));
}

absl::StatusOr<RenderedPrompt> ChatTemplate::render(const base::json::object& variables,
                                                    std::int64_t unix_now) const {
  jinja::Dict dict;
  for (const auto& [key, value] : variables) {
    dict.emplace_back(std::string(key), jinja::from_json(value));
    // The model's own, whoever calls; nobody else's value goes by these names.
    if (key == "bos_token" || key == "eos_token") dict.back().second.origin = nullptr;
  }
  ASSIGN_OR_RETURN(const auto out,
                   jinja::run(impl_->body, std::move(dict), impl_->limits, unix_now));
  RenderedPrompt prompt;
  prompt.text = out.text();
  const std::string& origin = out.origin();
  for (std::size_t i = 0; i < origin.size(); ++i) {
    if (origin[i] == 0) continue;
    if (prompt.foreign.empty() || prompt.foreign.back().end != i) prompt.foreign.push_back({i, i});
    prompt.foreign.back().end = i + 1;
  }
  return prompt;
}

std::vector<TokenId> ChatTemplate::reserved_tokens(const TokenizerSpec& spec) const {
  std::vector<TokenId> out = spec.end_of_generation;
  for (const AddedToken& added : spec.added) {
    if (added.text.size() >= kReservedBytesMin && !blank(added.text) &&
        impl_->source.find(added.text) != std::string::npos) {
      out.push_back(added.id);
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace plinth::model
