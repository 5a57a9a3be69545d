#include "governance/content_wire.h"

#include <algorithm>
#include <utility>

namespace plinth::governance {

namespace json = base::json;

namespace {

json::object detection(const DetectionResult& result) {
  return {{"detected", result.detected}, {"filtered", result.filtered}};
}

json::object blocklists(const ContentVerdict& verdict) {
  bool filtered = false;
  json::array details;
  for (const BlocklistResult& list : verdict.blocklists) {
    filtered = filtered || list.filtered;
    if (list.matched)
      details.push_back(json::object{{"id", list.name}, {"filtered", list.filtered}});
  }
  return {{"filtered", filtered}, {"details", std::move(details)}};
}

json::object pii(const ContentVerdict& verdict) {
  json::object result = detection(verdict.pii);
  result["redacted"] = verdict.pii_redacted;
  json::array types;
  for (const PiiSpan& span : verdict.pii_spans) {
    const json::value name = json::string(name_of(span.type));
    if (std::find(types.begin(), types.end(), name) == types.end()) types.push_back(name);
  }
  result["types"] = std::move(types);
  return result;
}

}  // namespace

json::object content_filter_results(const ContentVerdict& verdict) {
  json::object results;
  for (const ContentCategory category : kContentCategories) {
    const CategoryResult& result = verdict.categories[index_of(category)];
    if (!result.checked) continue;
    results[name_of(category)] = {{"filtered", result.filtered},
                                  {"severity", name_of(result.severity)}};
  }
  if (verdict.jailbreak.checked) results["jailbreak"] = detection(verdict.jailbreak);
  if (!verdict.blocklists.empty()) results["custom_blocklists"] = blocklists(verdict);
  if (verdict.pii.checked) results["personally_identifiable_information"] = pii(verdict);
  if (verdict.failure.has_value()) {
    results["error"] = {{"code", "content_filter_error"},
                        {"message", "The contents are not filtered"}};
  }
  return results;
}

json::array prompt_filter_results(std::span<const ContentVerdict> prompts) {
  json::array results;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    results.push_back(json::object{{"prompt_index", i},
                                   {"content_filter_results", content_filter_results(prompts[i])}});
  }
  return results;
}

json::object content_filter_error(const ContentVerdict& verdict) {
  json::object inner;
  inner["code"] = "ResponsibleAIPolicyViolation";
  inner["content_filter_result"] = content_filter_results(verdict);
  json::object error;
  error["message"] =
      "The response was filtered due to the prompt triggering the content management policy. "
      "Please modify your prompt and retry.";
  error["type"] = nullptr;
  error["param"] = "prompt";
  error["code"] = "content_filter";
  error["status"] = 400;
  error["innererror"] = std::move(inner);
  return {{"error", std::move(error)}};
}

}  // namespace plinth::governance
