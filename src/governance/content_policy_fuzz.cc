// A policy in the first line, a pattern of its blocklists in the second, a completion in the rest.
// However the completion is cut, what a stream sends is what may be sent, and little is held back.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "governance/content/testing/sendable.h"
#include "governance/content_limits.h"
#include "governance/content_policy.h"
#include "governance/content_stream.h"

namespace {

using namespace plinth::governance;

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

void expect(bool condition) {
  if (!condition) std::abort();
}

std::string stream_in_pieces(const std::shared_ptr<const ContentFilter>& filter,
                             std::string_view text, std::size_t bytes, bool& blocked) {
  ContentStream stream(filter);
  std::string sent;
  for (std::size_t at = 0; at < text.size(); at += bytes) {
    sent += stream.push(std::string(text.substr(at, bytes)));
    expect(stream.held_bytes() <= kHoldBytesMax);
  }
  sent += stream.finish();
  blocked = stream.blocked();
  return sent;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 1u << 13));
  const auto document = plinth::base::parse_json(take_line(rest));
  if (!document.ok()) return 0;
  auto policy = parse_content_policy(*document);
  if (!policy.ok()) return 0;
  const auto again = parse_content_policy(content_policy_json(*policy));
  expect(again.ok() && *again == *policy);
  // Its blocks come late by design.
  if (policy->mode == ContentMode::asynchronous_filter) policy->mode = ContentMode::default_mode;

  const std::string pattern(take_line(rest));
  Blocklist list;
  for (const bool is_regex : {false, true}) {
    const BlocklistItem item{pattern, is_regex, pattern.size() % 2 == 0};
    if (check_blocklist_item(item).ok()) list.items.push_back(item);
  }
  std::vector<Blocklist> lists;
  for (const BlocklistUse& use : policy->blocklists) lists.push_back({use.name, list.items});
  const auto filter = ContentFilter::compile(*policy, lists);
  if (!filter.ok()) return 0;

  const std::string text(rest);
  const bool blocks = check_text(**filter, ContentSource::completion, text).verdict.blocked;
  const std::string expected = sendable(**filter, text);
  for (const std::size_t bytes : {text.size() + 1, std::size_t{1}, std::size_t{7}}) {
    bool blocked = false;
    expect(stream_in_pieces(*filter, text, bytes, blocked) == expected);
    expect(blocked == blocks);
  }
  check_text(**filter, ContentSource::prompt, text);
  return 0;
}
