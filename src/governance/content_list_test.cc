#include "governance/content_list.h"

#include <gtest/gtest.h>

namespace plinth::governance {
namespace {

TEST(ContentList, ReadsWhatItWrites) {
  const store::CopiedContent file{"file-1_a", std::string(64, 'b')};
  auto line = content_line(file);
  ASSERT_TRUE(line.ends_with("\n"));
  line.pop_back();
  EXPECT_TRUE(line.starts_with(file.sha256 + "  content/")) << line;
  const auto read = parse_content_line(line);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, file);
}

TEST(ContentList, APathNeverLeadsElsewhere) {
  const std::string digest(64, 'b');
  for (const std::string path : {"content/00/../../secrets", "content/zz/file-1", "/etc/passwd",
                                 "content/file-1", "file-1", "", "content//", "content/ab/"}) {
    EXPECT_FALSE(parse_content_line(digest + "  " + path).ok()) << path;
  }
  auto line = content_line({"file-1", digest});
  line.pop_back();
  ASSERT_TRUE(parse_content_line(line).ok());
  EXPECT_FALSE(parse_content_line(line.substr(1)).ok());
  EXPECT_FALSE(parse_content_line(line + " ").ok());
  line[0] = 'g';
  EXPECT_FALSE(parse_content_line(line).ok());
}

}  // namespace
}  // namespace plinth::governance
