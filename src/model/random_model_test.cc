#include "model/random_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "model/bpe_trainer.h"
#include "model/model_file.h"

namespace plinth::model {
namespace {

using tensor::DType;

const RandomModelShape& tiny() { return random_model_shapes().back(); }

// Another run of these tests may be under way.
std::string path_of(const std::string& name) {
  return testing::TempDir() + name + "_" + std::to_string(::getpid()) + ".gguf";
}

struct TemporaryFile {
  explicit TemporaryFile(const std::string& name) : path(path_of(name)) {}
  ~TemporaryFile() { std::filesystem::remove(path); }
  const std::string path;
};

// What a reader makes of it is what was asked for, in every type whose blocks fit the rows.
TEST(RandomModel, IsReadBackInEveryType) {
  base::ThreadPool threads(2);
  for (int type = 0; type <= static_cast<int>(DType::iq4_xs); ++type) {
    const auto dtype = static_cast<DType>(type);
    const TemporaryFile temporary("random_types");
    const auto& path = temporary.path;
    ASSERT_TRUE(write_random_model({tiny(), dtype, DType::q6_k, 1}, path, threads, {}).ok());
    const auto file = open_model(path);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ((*file)->spec.layers, 2);
    EXPECT_EQ((*file)->spec.kv_heads, 2);
    EXPECT_EQ((*file)->weights.head.dtype, DType::q6_k);
    const auto& down = (*file)->weights.layers[1].down;
    ASSERT_EQ(down.dtype, dtype);
    ASSERT_EQ(down.columns, 512);
    double square = 0;
    std::vector<float> row(512);
    for (std::int64_t r = 0; r < down.rows; ++r) {
      tensor::dequantize_row(
          dtype, down.data + static_cast<std::size_t>(r) * tensor::row_bytes(dtype, 512),
          row.data(), 512);
      for (const float w : row) square += w * w;
    }
    // 1 / sqrt(512) over the root of two halves of two layers.
    EXPECT_NEAR(std::sqrt(square / (512.0 * static_cast<double>(down.rows))), 0.0221, 0.002);
  }
}

TEST(RandomModel, TakesATokenizer) {
  base::ThreadPool threads(1);
  const TemporaryFile temporary("random_tokenizer");
  const auto learnt = train_bpe("the cat sat on the mat, the cat sat", {280, "smollm"});
  ASSERT_TRUE(learnt.ok()) << learnt.status();
  RandomModelOptions options{tiny(), DType::q8_0, DType::q8_0, 1};
  options.tokenizer = &*learnt;
  EXPECT_TRUE(absl::IsInvalidArgument(write_random_model(options, temporary.path, threads, {})));
  options.shape.vocab = static_cast<std::uint32_t>(learnt->tokens.size());
  ASSERT_TRUE(write_random_model(options, temporary.path, threads, {}).ok());
  const auto file = open_model(temporary.path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->tokenizer.tokens, learnt->tokens);
  EXPECT_EQ((*file)->tokenizer.bos, learnt->bos);
  EXPECT_EQ((*file)->tokenizer.end_of_generation, learnt->end_of_generation);
  const auto one = make_tokenizer(*learnt), other = make_tokenizer((*file)->tokenizer);
  ASSERT_TRUE(one.ok() && other.ok()) << one.status() << other.status();
  const EncodeOptions control{.parse_special = true};
  const std::string text = "the cat 42<|end_of_text|> sat";
  EXPECT_EQ((*one)->encode(text, control), (*other)->encode(text, control));
  auto unnamed = *learnt;
  unnamed.pre = "";
  options.tokenizer = &unnamed;
  EXPECT_TRUE(absl::IsUnimplemented(write_random_model(options, temporary.path, threads, {})));
}

TEST(RandomModel, TheSameSeedGivesTheSameBytes) {
  base::ThreadPool one(1), two(2);
  const auto bytes = [&](std::uint64_t seed, base::ThreadPool& threads) {
    const TemporaryFile temporary("random_seed");
    const auto& path = temporary.path;
    EXPECT_TRUE(
        write_random_model({tiny(), DType::q4_k, DType::q6_k, seed}, path, threads, {}).ok());
    return *base::read_file(path, 64u << 20);
  };
  const auto first = bytes(3, one);
  EXPECT_EQ(first, bytes(3, two));
  EXPECT_NE(first, bytes(4, one));
}

TEST(RandomModel, ItsTokenizerSpellsAnyText) {
  base::ThreadPool threads(1);
  const TemporaryFile temporary("random_text");
  const auto& path = temporary.path;
  ASSERT_TRUE(write_random_model({tiny(), DType::q8_0, DType::q8_0, 1}, path, threads, {}).ok());
  const auto file = *open_model(path);
  const auto tokenizer = make_tokenizer(file->tokenizer);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const std::string text = "Any text: \xC3\xA9\xE6\xBC\xA2 \n\t 123";
  EXPECT_EQ((*tokenizer)->decode(*(*tokenizer)->encode(text, {})), text);
}

TEST(RandomModel, RefusesRowsThatBlocksDoNotFillAndFoldersThatAreNotThere) {
  base::ThreadPool threads(1);
  auto odd = tiny();
  odd.width = 128;
  const auto wrong =
      write_random_model({odd, DType::q4_k, DType::q8_0, 1}, path_of("odd"), threads, {});
  EXPECT_THAT(base::message(wrong), testing::HasSubstr("rows of 128 do not divide into q4_k's"));
  const auto lost =
      write_random_model({tiny(), DType::q8_0, DType::q8_0, 1}, "/no/such/folder/x", threads, {});
  EXPECT_THAT(base::message(lost), testing::HasSubstr("/no/such/folder/x"));
}

}  // namespace
}  // namespace plinth::model
