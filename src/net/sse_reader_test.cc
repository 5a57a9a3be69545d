#include "net/sse_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plinth::net {
namespace {

using ::testing::ElementsAre;

TEST(SseReader, GivesTheSameEventsWhereverTheBodyIsCut) {
  const std::string body =
      ": hello\n\ndata: {\"a\":1}\r\n\r\nevent: x\ndata:two\ndata: lines\n\ndata: [DONE]\n\ndata: "
      "open";
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    std::vector<std::string> events;
    SseReader reader([&](std::string_view data) { events.emplace_back(data); });
    ASSERT_TRUE(reader.feed(std::string_view(body).substr(0, cut)).ok());
    ASSERT_TRUE(reader.feed(std::string_view(body).substr(cut)).ok());
    EXPECT_THAT(events, ElementsAre("{\"a\":1}", "two\nlines", "[DONE]")) << cut;
  }
}

TEST(SseReader, BoundsAnEvent) {
  SseReader reader([](std::string_view) {});
  const std::string piece(1u << 20, 'x');
  absl::Status status;
  for (int i = 0; i < 20 && status.ok(); ++i) status = reader.feed(piece);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace plinth::net
