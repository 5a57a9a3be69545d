#include "net/multipart_reader.h"

#include <gtest/gtest.h>

#include <vector>

namespace plinth::net {
namespace {

constexpr char kType[] = "multipart/form-data; boundary=XX";

// What a body holds, part by part.
class Kept final : public MultipartSink {
 public:
  struct Part {
    MultipartPart head;
    std::string body;
    bool ended = false;
  };
  absl::Status on_part(MultipartPart part) override {
    parts.push_back({std::move(part), ""});
    return parts.size() > stop_after ? base::resource_exhausted("enough") : absl::OkStatus();
  }
  absl::Status on_data(std::string_view bytes) override {
    EXPECT_FALSE(bytes.empty());
    parts.back().body += bytes;
    return absl::OkStatus();
  }
  absl::Status on_part_end() override {
    parts.back().ended = true;
    return absl::OkStatus();
  }
  std::vector<Part> parts;
  std::size_t stop_after = 1000;
};

absl::Status read(std::string_view body, Kept& into, std::size_t piece = SIZE_MAX,
                  std::string_view type = kType) {
  auto reader = MultipartReader::open(type, into);
  if (!reader.ok()) return reader.status();
  while (!body.empty()) {
    RETURN_IF_ERROR(reader->feed(body.substr(0, piece)));
    body.remove_prefix(std::min(piece, body.size()));
  }
  return reader->finish();
}

absl::Status read(std::string_view body) {
  Kept kept;
  return read(body, kept);
}

std::string part(std::string_view headers, std::string_view body = "x") {
  return "--XX\r\n" + std::string(headers) + "\r\n\r\n" + std::string(body) + "\r\n";
}
std::string field(std::string_view name, std::string_view body = "x") {
  return part("Content-Disposition: form-data; name=\"" + std::string(name) + "\"", body);
}

TEST(MultipartReader, ReadsFieldsAndFilesHoweverTheBytesAreCut) {
  // In the file what begins like a boundary, and is none.
  const std::string file = "line\r\n--X\r\n\r\n--\r\n--Xx\r\n-";
  const std::string body =
      "passed over\r\n" + field("purpose", "batch") +
      part(
          "content-disposition: form-data; name=file; filename=\"a \\\"b\\\".jsonl\"\r\n"
          "Content-Type:application/jsonl",
          file) +
      field("empty", "") + "--XX--\r\nand what follows";
  for (std::size_t piece = 1; piece < 64; ++piece) {
    Kept kept;
    const auto status = read(body, kept, piece);
    ASSERT_TRUE(status.ok()) << piece << " " << status;
    ASSERT_EQ(kept.parts.size(), 3u) << piece;
    EXPECT_EQ(kept.parts[0].head.name, "purpose");
    EXPECT_EQ(kept.parts[0].head.filename, std::nullopt);
    EXPECT_EQ(kept.parts[0].body, "batch");
    EXPECT_EQ(kept.parts[1].head.name, "file");
    EXPECT_EQ(kept.parts[1].head.filename, "a \"b\".jsonl");
    EXPECT_EQ(kept.parts[1].head.content_type, "application/jsonl");
    EXPECT_EQ(kept.parts[1].body, file) << piece;
    EXPECT_EQ(kept.parts[2].body, "");
    EXPECT_TRUE(kept.parts[0].ended && kept.parts[1].ended && kept.parts[2].ended);
  }
}

TEST(MultipartReader, HandsOnWhatHasComeAndKeepsNoMoreThanABoundary) {
  Kept kept;
  auto reader = *MultipartReader::open(kType, kept);
  ASSERT_TRUE(reader.feed("--XX\r\nContent-Disposition: form-data; name=f\r\n\r\n").ok());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(reader.feed(std::string(1000, 'x')).ok());
  EXPECT_GE(kept.parts.at(0).body.size(), 100'000u - 6);
  EXPECT_FALSE(kept.parts.at(0).ended);
  EXPECT_TRUE(absl::IsInvalidArgument(reader.finish()));
}

TEST(MultipartReader, ReadsBoundariesAsClientsWriteThem) {
  const auto of = [](std::string_view boundary, std::string_view type) {
    Kept kept;
    const auto dashes = "--" + std::string(boundary);
    return read(
        dashes + "\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n" + dashes + "-- \r\n",
        kept, SIZE_MAX, type);
  };
  EXPECT_TRUE(of("a b", "Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"").ok());
  EXPECT_TRUE(
      of("----formdata-undici-012", "multipart/form-data; boundary=----formdata-undici-012").ok());
  for (const char* type :
       {"", "application/json", "multipart/mixed; boundary=a", "multipart/form-data",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a",
        "multipart/form-data;"
        "boundary=a; boundary=b",
        "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=a\x01",
        "multipart/form-data boundary=a"})
    EXPECT_TRUE(absl::IsInvalidArgument(of("a", type))) << type;
  const std::string longest(70, 'b');
  EXPECT_TRUE(of(longest, "multipart/form-data; boundary=" + longest).ok());
  EXPECT_FALSE(of(longest + "b", "multipart/form-data; boundary=" + longest + "b").ok());
}

TEST(MultipartReader, NamesInUtf8ComeInBothForms) {
  Kept kept;
  const auto body =
      part("Content-Disposition: form-data; name=file; filename=\"na\xc3\xafve.txt\"") +
      part(
          "Content-Disposition: form-data; name=file; filename=x;"
          " filename*=UTF-8'en'na%C3%AFve.txt") +
      part("Content-Disposition: form-data; name=file; filename=\"C:\\a\\b.txt\"") + "--XX--";
  ASSERT_TRUE(read(body, kept).ok());
  EXPECT_EQ(kept.parts[0].head.filename, "na\xc3\xafve.txt");
  EXPECT_EQ(kept.parts[1].head.filename, "na\xc3\xafve.txt");
  EXPECT_EQ(kept.parts[2].head.filename, "C:\\a\\b.txt");
}

TEST(MultipartReader, ANestedBodyIsBytesLikeAnyOther) {
  Kept kept;
  const std::string inner =
      "--YY\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nevil\r\n"
      "--YY--";
  const auto body = part(
                        "Content-Disposition: form-data; name=file; filename=f\r\n"
                        "Content-Type: multipart/mixed; boundary=YY",
                        inner) +
                    "--XX--";
  ASSERT_TRUE(read(body, kept).ok());
  ASSERT_EQ(kept.parts.size(), 1u);
  EXPECT_EQ(kept.parts[0].body, inner);
}

TEST(MultipartReader, RefusesHostileBodies) {
  const auto refused = [](const std::string& body) {
    const auto status = read(body);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status << "\n" << body.substr(0, 200);
  };
  const std::string end = "--XX--";
  refused("");
  refused("no boundary at all");
  refused(field("a"));                                   // no last boundary
  refused("--XX\r\nContent-Disposition: form-data; n");  // cut inside a header
  refused(part("Content-Type: text/plain") + end);       // no name
  refused(field("") + end);
  refused("--XX\r\n\r\nx\r\n" + end);  // no headers
  refused(part("Content-Disposition: attachment; name=a") + end);
  refused(part("Content-Disposition: form-data; name=a\r\n"
               "Content-Disposition: form-data; name=b") +
          end);
  refused(part("Content-Disposition: form-data; name=\"a") + end);
  refused(part("Content-Disposition: form-data; name=a\r\n folded: x") + end);
  refused(part("Content-Disposition: form-data; name=a\r\nno colon") + end);
  refused(part("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64") +
          end);
  refused(part(std::string_view("Content-Disposition: form-data; name=\"a\0b\"", 42)) + end);
  refused(part(std::string_view("Content-Disposition: form-data; name=f; filename=\"a\0b\"", 54)) +
          end);
  refused(part("Content-Disposition: form-data; name=f; filename=\"a\nb\"") + end);
  refused(part("Content-Disposition: form-data; name=f; filename=\"\xff\"") + end);
  refused(part("Content-Disposition: form-data; name=f; filename*=UTF-8''%00") + end);
  refused(part("Content-Disposition: form-data; name=f; filename*=latin1''x") + end);
  refused("--XXY\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n" + end);
  refused("--XX" + std::string(100, ' ') + "\r\n" + field("a").substr(6) + end);
  refused(field(std::string(257, 'n')) + end);
}

TEST(MultipartReader, HeadersAndPartsAreBounded) {
  const std::string name = "Content-Disposition: form-data; name=a\r\n";
  std::string bomb = name;
  for (int i = 0; i < 20; ++i) bomb += "X-" + std::to_string(i) + ": y\r\n";
  EXPECT_FALSE(read(part(bomb + "Z: z") + "--XX--").ok());
  // One that never ends is refused while it comes.
  Kept kept;
  auto reader = *MultipartReader::open(kType, kept);
  absl::Status status = reader.feed("--XX\r\nX: ");
  int fed = 0;
  for (; status.ok() && fed < 1000; ++fed) status = reader.feed(std::string(100, 'y'));
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_LT(fed, 90);
  EXPECT_EQ(reader.feed("--XX--"), status) << "what failed stays so";
  EXPECT_EQ(reader.finish(), status);
  std::string many;
  for (std::size_t i = 0; i < kMultipartPartsMax; ++i) many += field("a");
  EXPECT_TRUE(read(many + "--XX--").ok());
  EXPECT_FALSE(read(many + field("a") + "--XX--").ok());
}

TEST(MultipartReader, WhatTheSinkRefusesEndsIt) {
  Kept kept;
  kept.stop_after = 1;
  EXPECT_TRUE(
      absl::IsResourceExhausted(read(field("a") + field("b") + field("c") + "--XX--", kept)));
  EXPECT_EQ(kept.parts.size(), 2u);
}

}  // namespace
}  // namespace plinth::net
