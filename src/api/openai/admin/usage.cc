#include "api/openai/admin/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>

#include "api/error_map.h"
#include "api/openai/admin/listing.h"
#include "api/schema/values.h"
#include "governance/money.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using store::UsageDimension;

constexpr std::size_t kFilterMax = 256;
constexpr std::string_view kPagePrefix = "page_";

// OpenAI's own bounds on the number of buckets.
struct Width {
  std::string_view name;
  std::int64_t seconds, buckets, buckets_max;
};
constexpr std::array kWidths{Width{"1m", 60, 60, 1440}, Width{"1h", 3600, 24, 168},
                             Width{"1d", 86'400, 7, 31}};
constexpr std::int64_t kCostBucketsMax = 180;

struct Dimension {
  std::string_view name;  // in group_by and in results
  UsageDimension dimension;
};
constexpr std::array kDimensions{Dimension{"project_id", UsageDimension::project},
                                 Dimension{"user_id", UsageDimension::user_id},
                                 Dimension{"api_key_id", UsageDimension::api_key},
                                 Dimension{"model", UsageDimension::model},
                                 Dimension{"batch", UsageDimension::service_class},
                                 Dimension{"service_tier", UsageDimension::service_class},
                                 Dimension{"line_item", UsageDimension::model}};

// One page of buckets.
struct Period {
  std::int64_t start_s = 0, end_s = 0;  // of the page
  std::int64_t bucket_s = 0;
  bool more = false;
};

absl::StatusOr<std::int64_t> page_start(std::string_view page, std::int64_t bucket_s) {
  std::int64_t start = 0;
  const auto digits = page.substr(std::min(page.size(), kPagePrefix.size()));
  const auto end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, start);
  if (!page.starts_with(kPagePrefix) || error != std::errc() || at != end || start < 0 ||
      start % bucket_s != 0) {
    return parameter_error("Invalid 'page': it is the next_page of no answer to this question.",
                           "page", "invalid_value");
  }
  return start;
}

absl::StatusOr<Period> period_of(const Exchange& exchange, const Values& values, const Width& width,
                                 std::int64_t buckets_max) {
  Period period;
  period.bucket_s = width.seconds;
  const auto aligned = [&](std::int64_t time_s) { return time_s - time_s % width.seconds; };
  const auto now_s = exchange.services().clock.unix_seconds();
  const auto* end = values.given("end_time");
  const auto start_s = values.integer("start_time");
  // The bucket of the present moment is the last one that can hold anything.
  const auto last_s = std::min(end != nullptr ? to_integer(*end) : now_s + 1, now_s + 1);
  const auto end_s = aligned(last_s + width.seconds - 1);
  period.start_s = aligned(start_s);
  if (const auto* page = values.given("page")) {
    ASSIGN_OR_RETURN(period.start_s, page_start(page->get_string(), width.seconds));
    if (period.start_s < aligned(start_s) || period.start_s > end_s) {
      return parameter_error("Invalid 'page': it is outside of the time that is asked for.", "page",
                             "invalid_value");
    }
  }
  const auto* limit = values.given("limit");
  const auto buckets = limit != nullptr ? to_integer(*limit) : width.buckets;
  if (buckets > buckets_max) {
    return parameter_error(
        fmt::format("Invalid 'limit': at most {} buckets of {} at once.", buckets_max, width.name),
        "limit", "invalid_value");
  }
  period.end_s =
      std::max(period.start_s, std::min(end_s, period.start_s + buckets * width.seconds));
  period.more = period.end_s < end_s;
  return period;
}

void add_filter(const Object& query, const char* field, UsageDimension dimension,
                store::UsageQuery& usage) {
  const auto* list = query.if_contains(field);
  if (list == nullptr || !list->is_array()) return;
  store::UsageQuery::Filter filter{dimension, {}};
  for (const auto& value : list->get_array()) filter.any_of.emplace_back(value.get_string());
  usage.filters.push_back(std::move(filter));
}

std::vector<std::string_view> group_names(const Object& query) {
  std::vector<std::string_view> names;
  const auto* list = query.if_contains("group_by");
  if (list == nullptr || !list->is_array()) return names;
  for (const auto& value : list->get_array()) {
    const std::string_view name = value.get_string();
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

void group_by(const std::vector<std::string_view>& names, store::UsageQuery& usage) {
  for (const auto name : names) {
    const auto found = std::find_if(kDimensions.begin(), kDimensions.end(),
                                    [&](const auto& known) { return known.name == name; });
    const auto dimension = found->dimension;
    if (std::find(usage.group_by.begin(), usage.group_by.end(), dimension) == usage.group_by.end())
      usage.group_by.push_back(dimension);
  }
}

// The value of one grouped dimension, null where nothing was grouped by it.
base::json::value group_value(const store::UsageQuery& usage, const store::UsageSum& sum,
                              std::string_view name, const std::vector<std::string_view>& names) {
  if (std::find(names.begin(), names.end(), name) == names.end()) return nullptr;
  const auto known = std::find_if(kDimensions.begin(), kDimensions.end(),
                                  [&](const auto& other) { return other.name == name; });
  const auto at = std::find(usage.group_by.begin(), usage.group_by.end(), known->dimension) -
                  usage.group_by.begin();
  const auto& value = sum.group[static_cast<std::size_t>(at)];
  if (name == "batch") return value == "batch";
  if (value.empty()) return nullptr;
  return base::json::string(value);
}

// A model's line, one for what its provisioned units cost by the hour, and one for what jobs learnt
// over it. The last dimension is the operation.
std::vector<store::UsageSum> lines_of(const store::UsageQuery& usage,
                                      const std::vector<store::UsageSum>& sums) {
  const auto model =
      std::find(usage.group_by.begin(), usage.group_by.end(), UsageDimension::model) -
      usage.group_by.begin();
  std::map<std::pair<std::int64_t, std::vector<std::string>>, store::UsageSum> lines;
  for (const auto& sum : sums) {
    auto group = sum.group;
    if (group.back() == "commitment") group[static_cast<std::size_t>(model)] += ", commitment";
    if (group.back() == "fine_tuning") group[static_cast<std::size_t>(model)] += ", training";
    group.pop_back();
    auto& line = lines[{sum.bucket_start_s, group}];
    line.bucket_start_s = sum.bucket_start_s;
    line.group = std::move(group);
    line.amount_pico += sum.amount_pico;
  }
  std::vector<store::UsageSum> out;
  for (auto& entry : lines) out.push_back(std::move(entry.second));
  return out;
}

// Buckets without gaps, and the way to the next page.
template <typename ToResult>
Object page_object(const Period& period, const std::vector<store::UsageSum>& sums,
                   const ToResult& to_result) {
  base::json::array buckets;
  auto sum = sums.begin();
  for (auto start = period.start_s; start < period.end_s; start += period.bucket_s) {
    base::json::array results;
    for (; sum != sums.end() && sum->bucket_start_s == start; ++sum)
      results.push_back(to_result(*sum));
    buckets.push_back(Object{{"object", "bucket"},
                             {"start_time", start},
                             {"end_time", start + period.bucket_s},
                             {"results", std::move(results)}});
  }
  base::json::value next;
  if (period.more) next = fmt::format("{}{}", kPagePrefix, period.end_s);
  return {{"object", "page"},
          {"data", std::move(buckets)},
          {"has_more", period.more},
          {"next_page", next}};
}

void usage_of(const ExchangePtr& exchange, std::vector<std::string> operations,
              const std::string& kind, bool generates) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, usage_query_schema()));
    const Values values(usage_query_schema(), query);
    const auto* width = std::find_if(kWidths.begin(), kWidths.end(), [&](const auto& known) {
      return known.name == values.string("bucket_width");
    });
    ASSIGN_OR_RETURN(const auto period, period_of(*exchange, values, *width, width->buckets_max));
    store::UsageQuery usage;
    usage.organization = exchange->principal.organization;
    usage.start_s = period.start_s;
    usage.end_s = period.end_s;
    usage.bucket_s = period.bucket_s;
    usage.filters.push_back({UsageDimension::operation, std::move(operations)});
    add_filter(query, "project_ids", UsageDimension::project, usage);
    add_filter(query, "user_ids", UsageDimension::user_id, usage);
    add_filter(query, "api_key_ids", UsageDimension::api_key, usage);
    add_filter(query, "models", UsageDimension::model, usage);
    if (const auto* batch = values.given("batch")) {
      usage.filters.push_back(
          {UsageDimension::service_class,
           batch->get_bool()
               ? std::vector<std::string>{"batch"}
               : std::vector<std::string>{"standard", "provisioned", "developer", "training"}});
    }
    const auto names = group_names(query);
    group_by(names, usage);
    ASSIGN_OR_RETURN(const auto sums, exchange->services().governance.usage().usage(usage));
    return page_object(period, sums, [&](const store::UsageSum& sum) {
      Object result{{"object", kind},
                    {"input_tokens", sum.input_tokens},
                    {"num_model_requests", sum.requests}};
      if (generates) {
        result["input_cached_tokens"] = sum.cached_tokens;
        result["input_uncached_tokens"] = sum.input_tokens - sum.cached_tokens;
        result["output_tokens"] = sum.output_tokens;
        result["input_audio_tokens"] = 0;
        result["output_audio_tokens"] = 0;
      }
      for (const std::string_view name :
           {"project_id", "user_id", "api_key_id", "model", "batch", "service_tier"}) {
        result[name] = group_value(usage, sum, name, names);
      }
      return result;
    });
  }());
}

std::vector<Field> time_fields() {
  return {required("start_time", integer(0, INT32_MAX, "Seconds since 1970, inclusive.")),
          optional("end_time", integer(0, INT32_MAX, "Exclusive.")),
          optional("page", string("next_page of the answer before.").length(1, 64))};
}

Field list_field(const char* name, const char* doc) {
  return optional(name, array(string("").length(1, 512), 1, kFilterMax, doc));
}

Schema page_schema(const char* name, Schema result) {
  return object(
      name,
      {required("object", one_string_of({"page"}, "")),
       required("data",
                array(object("",
                             {required("object", one_string_of({"bucket"}, "")),
                              required("start_time", integer(0, INT64_MAX, "")),
                              required("end_time", integer(0, INT64_MAX, "")),
                              required("results", array(std::move(result), 0, SIZE_MAX, ""))},
                             ""),
                      0, SIZE_MAX, "")),
       required("has_more", boolean("")), required("next_page", string("").or_null())},
      "");
}

}  // namespace

const Schema& usage_query_schema() {
  static const Schema schema = [] {
    auto fields = time_fields();
    fields.push_back(
        optional("bucket_width", one_string_of({"1m", "1h", "1d"}, "UTC's.").or_else("1d")));
    fields.push_back(optional("limit", integer(1, 1440, "Buckets of one page.")));
    fields.push_back(list_field("project_ids", "Of these projects alone."));
    fields.push_back(list_field("user_ids", "Of these users or service accounts."));
    fields.push_back(list_field("api_key_ids", "Of these keys."));
    fields.push_back(list_field("models", "Of these models."));
    fields.push_back(optional("batch", boolean("Of batches, or of everything else.")));
    fields.push_back(optional(
        "group_by",
        array(one_string_of(
                  {"project_id", "user_id", "api_key_id", "model", "batch", "service_tier"}, ""),
              1, 16, "A result for each combination of these.")));
    return object("", std::move(fields), "");
  }();
  return schema;
}

const Schema& costs_query_schema() {
  static const Schema schema = [] {
    auto fields = time_fields();
    fields.push_back(optional("bucket_width", one_string_of({"1d"}, "").or_else("1d")));
    fields.push_back(optional("limit", integer(1, kCostBucketsMax, "Buckets of one page.")));
    fields.push_back(list_field("project_ids", "Of these projects alone."));
    fields.push_back(list_field("api_key_ids", "Of these keys."));
    fields.push_back(
        optional("group_by", array(one_string_of({"project_id", "line_item", "api_key_id"}, ""), 1,
                                   8, "A result for each combination of these.")));
    return object("", std::move(fields), "");
  }();
  return schema;
}

const Schema& usage_page_schema() {
  static const Schema schema = page_schema("UsagePage", any("What was used."));
  return schema;
}

const Schema& costs_page_schema() {
  static const Schema schema = page_schema(
      "CostsPage",
      object("CostsResult",
             {required("object", one_string_of({"organization.costs.result"}, "")),
              required("amount", object("CostsAmount",
                                        {required("value", number(-1e308, 1e308, "")),
                                         required("currency", string("")),
                                         required("exact", string("The same, as a decimal."))},
                                        "")),
              required("line_item", string("").or_null()),
              required("project_id", string("").or_null()),
              required("api_key_id", string("").or_null())},
             ""));
  return schema;
}

void usage_of_completions(const ExchangePtr& exchange) {
  usage_of(exchange, {"chat", "text_completion"}, "organization.usage.completions.result", true);
}

void usage_of_fine_tuning(const ExchangePtr& exchange) {
  usage_of(exchange, {"fine_tuning"}, "organization.usage.fine_tuning.result", false);
}

void usage_of_embeddings(const ExchangePtr& exchange) {
  usage_of(exchange, {"embeddings"}, "organization.usage.embeddings.result", false);
}

void list_costs(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, costs_query_schema()));
    ASSIGN_OR_RETURN(const auto period, period_of(*exchange, Values(costs_query_schema(), query),
                                                  kWidths.back(), kCostBucketsMax));
    store::UsageQuery usage;
    usage.organization = exchange->principal.organization;
    usage.start_s = period.start_s;
    usage.end_s = period.end_s;
    usage.bucket_s = period.bucket_s;
    add_filter(query, "project_ids", UsageDimension::project, usage);
    add_filter(query, "api_key_ids", UsageDimension::api_key, usage);
    const auto names = group_names(query);
    group_by(names, usage);
    const bool by_line = std::find(names.begin(), names.end(), "line_item") != names.end();
    if (by_line) usage.group_by.push_back(UsageDimension::operation);
    ASSIGN_OR_RETURN(auto sums, exchange->services().governance.usage().usage(usage));
    if (by_line) sums = lines_of(usage, sums);
    return page_object(period, sums, [&](const store::UsageSum& sum) {
      const auto exact = governance::format_money(sum.amount_pico);
      Object result{{"object", "organization.costs.result"},
                    {"amount", Object{{"value", static_cast<double>(sum.amount_pico) / 1e12},
                                      {"currency", "usd"},
                                      {"exact", exact}}}};
      for (const std::string_view name : {"line_item", "project_id", "api_key_id"})
        result[name] = group_value(usage, sum, name, names);
      return result;
    });
  }());
}

}  // namespace plinth::api
