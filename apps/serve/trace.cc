#include "apps/serve/trace.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/serve/limits.h"
#include "base/json.h"

namespace plinth::serve {

namespace {

using base::json::object;

absl::Status unknown_field(const object& from, std::initializer_list<std::string_view> known) {
  for (const auto& field : from) {
    if (std::find(known.begin(), known.end(), std::string_view(field.key())) == known.end()) {
      return base::invalid_argument(
          fmt::format("'{}' is no field here", std::string_view(field.key())));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<double> seconds(const object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  if (value == nullptr) return 0.0;
  const double number = value->is_number() ? value->to_number<double>() : -1;
  if (!(number >= 0 && number <= kSecondsMax)) {
    return base::invalid_argument(fmt::format("{} is not from 0 to {:g} s", name, kSecondsMax));
  }
  return whole_microseconds(number);
}

absl::StatusOr<int> count(const object& from, std::string_view name, int max) {
  const auto* value = from.if_contains(name);
  const bool fits =
      value != nullptr && value->is_int64() && value->get_int64() > 0 && value->get_int64() <= max;
  if (!fits) {
    return base::invalid_argument(fmt::format("{} is no whole number from 1 to {}", name, max));
  }
  return static_cast<int>(value->get_int64());
}

absl::StatusOr<Turn> parse_turn(const base::json::value& value) {
  const auto* from = value.if_object();
  if (from == nullptr) return base::invalid_argument("a turn is no object");
  RETURN_IF_ERROR(unknown_field(*from, {"words", "max_tokens", "think_s", "copy"}));
  Turn turn;
  ASSIGN_OR_RETURN(turn.words, count(*from, "words", kWordsMax));
  ASSIGN_OR_RETURN(turn.max_tokens, count(*from, "max_tokens", kTokensMax));
  ASSIGN_OR_RETURN(turn.think_s, seconds(*from, "think_s"));
  if (const auto* copy = from->if_contains("copy"); copy != nullptr) {
    if (!copy->is_bool()) return base::invalid_argument("copy is not true or false");
    turn.copy = copy->get_bool();
  }
  return turn;
}

absl::StatusOr<Conversation> parse_line(std::string_view line) {
  ASSIGN_OR_RETURN(const auto document, base::parse_json(line));
  const auto* from = document.if_object();
  if (from == nullptr) return base::invalid_argument("it is no object");
  RETURN_IF_ERROR(unknown_field(*from, {"at_s", "tenant", "turns"}));
  Conversation conversation;
  ASSIGN_OR_RETURN(conversation.at_s, seconds(*from, "at_s"));
  conversation.tenant = "tenant-1";
  if (const auto* tenant = from->if_contains("tenant"); tenant != nullptr) {
    if (!tenant->is_string() || tenant->get_string().empty() ||
        tenant->get_string().size() > kTenantNameMax) {
      return base::invalid_argument(
          fmt::format("tenant is no name of 1 to {} bytes", kTenantNameMax));
    }
    conversation.tenant = std::string(tenant->get_string());
  }
  const auto* turns = from->if_contains("turns");
  if (turns == nullptr || !turns->is_array() || turns->get_array().empty() ||
      turns->get_array().size() > kTurnsMax) {
    return base::invalid_argument(fmt::format("turns is no list of 1 to {}", kTurnsMax));
  }
  for (const auto& value : turns->get_array()) {
    ASSIGN_OR_RETURN(const auto turn, parse_turn(value));
    conversation.turns.push_back(turn);
  }
  return conversation;
}

}  // namespace

absl::StatusOr<Workload> parse_trace(std::string_view text) {
  Workload workload;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto conversation = parse_line(line);
    if (!conversation.ok()) {
      return base::annotate(conversation.status(), fmt::format("line {}", number));
    }
    if (workload.size() == static_cast<std::size_t>(kConversationsMax)) {
      return base::invalid_argument(
          fmt::format("line {}: more than {} conversations", number, kConversationsMax));
    }
    workload.push_back(*std::move(conversation));
  }
  if (workload.empty()) return base::invalid_argument("it has no conversation");
  std::stable_sort(workload.begin(), workload.end(),
                   [](const auto& a, const auto& b) { return a.at_s < b.at_s; });
  return workload;
}

std::string to_trace(const Workload& workload) {
  std::string text;
  for (const auto& conversation : workload) {
    base::json::array turns;
    for (const auto& turn : conversation.turns) {
      object one{{"words", turn.words}, {"max_tokens", turn.max_tokens}};
      if (turn.think_s > 0) one["think_s"] = turn.think_s;
      if (turn.copy) one["copy"] = true;
      turns.push_back(std::move(one));
    }
    text += base::to_json(object{
        {"at_s", conversation.at_s}, {"tenant", conversation.tenant}, {"turns", std::move(turns)}});
    text += '\n';
  }
  return text;
}

}  // namespace plinth::serve
