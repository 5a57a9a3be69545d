#include "train/token_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/status.h"

namespace plinth::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
std::string bytes_of(std::vector<T> numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T)};
}
std::string header(std::uint32_t magic, std::uint32_t tokens) {
  std::vector<std::uint32_t> numbers(256);
  numbers[0] = magic;
  numbers[1] = 1;
  numbers[2] = tokens;
  return bytes_of(numbers);
}
std::string error_of(const std::string& bytes, std::int64_t vocab) {
  const auto tokens = parse_token_file(bytes, vocab);
  EXPECT_TRUE(absl::IsInvalidArgument(tokens.status())) << tokens.status();
  return std::string(base::message(tokens.status()));
}

TEST(TokenFile, ReadsEachForm) {
  const auto plain = bytes_of<std::uint16_t>({1, 50256, 7});
  EXPECT_THAT(*parse_token_file(plain, 50257), ElementsAre(1, 50256, 7));
  EXPECT_THAT(*parse_token_file(header(20240520, 3) + plain, 50257), ElementsAre(1, 50256, 7));
  EXPECT_THAT(*parse_token_file(header(20240801, 2) + bytes_of<std::uint32_t>({3, 128000}), 128256),
              ElementsAre(3, 128000));
  EXPECT_TRUE(parse_token_file("", 10)->empty());
}

TEST(TokenFile, NamesWhatIsWrong) {
  EXPECT_THAT(error_of(bytes_of<std::uint16_t>({1, 10}), 10),
              HasSubstr("token 1 is 10: the vocabulary has 10"));
  EXPECT_THAT(error_of("abc", 1 << 20), HasSubstr("3 bytes are no whole tokens"));
  EXPECT_THAT(error_of(header(20240520, 4) + bytes_of<std::uint16_t>({1, 2}), 10),
              HasSubstr("the header says 4 tokens, 2 follow"));
  EXPECT_THAT(error_of(header(20240801, 1) + bytes_of<std::uint32_t>({0x80000000u}), 10),
              HasSubstr("token 0 is 2147483648"));
}

}  // namespace
}  // namespace plinth::train
