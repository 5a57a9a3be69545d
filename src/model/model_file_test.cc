#include "model/model_file.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "model/gguf/gguf_test_file.h"
#include "tensor/linear.h"
#include "tests/support/source_dir.h"

namespace plinth::model {
namespace {

// The folder is the test's own.
std::string scratch(const std::string& name) {
  const std::string folder = ::testing::TempDir() + "/plinth_model_file_test";
  EXPECT_TRUE(base::make_folders(folder).ok());
  return folder + "/" + name;
}

TEST(Gguf, ReadsTheTinyFile) {
  const auto model = open_model(source_dir() + "/tests/golden/model/tiny_llama.gguf");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->spec.width, 32);
  EXPECT_EQ((*model)->spec.kv_heads, 2);
  EXPECT_EQ((*model)->spec.head_width, 8);
  EXPECT_EQ((*model)->tokenizer.tokens.size(), 40u);
  EXPECT_EQ((*model)->tokenizer.eos, 0);
  EXPECT_EQ((*model)->weights.layers.size(), 1u);
  EXPECT_EQ((*model)->weights.head.data, (*model)->weights.embedding.data);
  EXPECT_EQ((*model)->quantization, "q8_0");
}

// Shards as gguf-split writes them: all metadata in the first, tensors spread over all.
struct Shards {
  std::vector<GgufTestFile> files;

  explicit Shards(int count) : files(static_cast<std::size_t>(count)) {
    const auto whole = tiny_gguf();
    files[0].keys = whole.keys;
    for (std::size_t i = 0; i < files.size(); ++i) {
      files[i].set("split.no", split_u16(static_cast<int>(i)));
      files[i].set("split.count", split_u16(count));
      files[i].set("split.tensors.count",
                   raw<std::uint32_t>(5) + raw(static_cast<std::int32_t>(whole.tensors.size())));
    }
    for (std::size_t i = 0; i < whole.tensors.size(); ++i) {
      files[i % files.size()].tensors.push_back(whole.tensors[i]);
    }
  }
  static std::string split_u16(int value) {
    return raw<std::uint32_t>(2) + raw(static_cast<std::uint16_t>(value));
  }
  static std::string name(std::size_t i, std::size_t count) {
    return fmt::format("m-{:05}-of-{:05}.gguf", i + 1, count);
  }
  // Writes all but the shard `without`, and opens the shard `first`.
  absl::StatusOr<std::unique_ptr<ModelFile>> open(std::size_t without = 99,
                                                  std::size_t first = 0) const {
    for (std::size_t i = 0; i < files.size(); ++i) {
      const std::string path = scratch(name(i, files.size()));
      std::remove(path.c_str());
      if (i != without) {
        EXPECT_TRUE(base::write_file_atomic(path, files[i].bytes()).ok());
      }
    }
    return open_model(scratch(name(first, files.size())));
  }
};

TEST(SplitGguf, IsOneModel) {
  const auto model = Shards(3).open();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->weights.layers.size(), 1u);
  EXPECT_EQ((*model)->parameters, 40 * 32 + 3 * 32 + 2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32);
  // The last tensor is in another file than the first.
  float row[64];
  const auto& down = (*model)->weights.layers[0].down;
  tensor::dequantize_row(down.dtype, down.data, row, 64);
  EXPECT_FLOAT_EQ(row[1], 0.01f - 0.4f);
}

TEST(SplitGguf, NamesTheShardThatIsWrong) {
  const auto expect = [](const absl::StatusOr<std::unique_ptr<ModelFile>>& opened,
                         const std::string& named) {
    EXPECT_FALSE(opened.ok()) << named;
    EXPECT_NE(base::message(opened.status()).find(named), std::string_view::npos)
        << "expected " << named << ", got " << opened.status();
  };
  expect(Shards(3).open(1), "m-00002-of-00003.gguf");
  expect(Shards(3).open(99, 1), "is shard 2 of 3; open the one that ends in -00001-of-00003.gguf");
  Shards swapped(3);
  std::swap(swapped.files[1], swapped.files[2]);
  expect(swapped.open(), "m-00002-of-00003.gguf: [gguf] says it is shard 3 of 3, not 2 of 3");
  Shards other(3);
  other.files[2].set("split.count", Shards::split_u16(4));
  expect(other.open(), "m-00003-of-00003.gguf: [gguf] says it is shard 3 of 4, not 3 of 3");
  Shards unmarked(2);
  unmarked.files[1].erase("split.no");
  expect(unmarked.open(), "m-00002-of-00002.gguf: [gguf] no split.no");
  Shards twice(2);
  twice.files[1].tensors.push_back(twice.files[0].tensors[0]);
  expect(twice.open(),
         "m-00002-of-00002.gguf: [gguf] tensor token_embd.weight is in another shard");
  Shards fewer(2);
  fewer.files[1].tensors.pop_back();
  expect(fewer.open(), "split.tensors.count is 11, but the shards hold 10");
  Shards absurd(2);
  absurd.files[0].set("split.count", Shards::split_u16(60000));
  expect(absurd.open(), "split.count is 60000");
  Shards broken(2);
  broken.files[1].magic = "GGUX";
  expect(broken.open(), "m-00002-of-00002.gguf: [gguf] byte 0");
  Shards renamed(2);
  renamed.files[0].set("split.count", Shards::split_u16(3));
  expect(renamed.open(), "so its name must end in -00001-of-00003.gguf");
}

// A sparse file: 4 GiB of embedding, of which only the last row is on the disk.
TEST(Gguf, ReadsTensorsOverTwoGiB) {
  constexpr std::uint64_t kWidth = 4096, kVocab = 1u << 18;
  auto file = tiny_gguf();
  file.set("llama.embedding_length", gguf_u32(kWidth))
      .set("llama.attention.key_length", gguf_u32(8));
  const std::pair<const char*, std::vector<std::uint64_t>> shapes[] = {
      {"output_norm.weight", {kWidth}},           {"blk.0.attn_norm.weight", {kWidth}},
      {"blk.0.ffn_norm.weight", {kWidth}},        {"blk.0.attn_q.weight", {kWidth, 32}},
      {"blk.0.attn_k.weight", {kWidth, 16}},      {"blk.0.attn_v.weight", {kWidth, 16}},
      {"blk.0.attn_output.weight", {32, kWidth}}, {"blk.0.ffn_gate.weight", {kWidth, 64}},
      {"blk.0.ffn_up.weight", {kWidth, 64}},      {"blk.0.ffn_down.weight", {64, kWidth}}};
  for (const auto& [name, dims] : shapes) file.tensor(name).dims = dims;
  // Last in the file, and too large for the builder to give it data.
  std::erase_if(file.tensors, [](const auto& t) { return t.name == "token_embd.weight"; });
  file.tensor("token_embd.weight").dims = {kWidth, kVocab};
  const std::string path = scratch("large.gguf");
  const std::string head = file.bytes();
  ASSERT_TRUE(base::write_file_atomic(path, head).ok());
  const std::uint64_t data = (head.size() + 31) / 32 * 32;
  const std::uint64_t end = data + kWidth * kVocab * sizeof(float);
  {
    std::fstream out(path, std::ios::in | std::ios::out | std::ios::binary);
    const std::vector<float> row(kWidth, 0.25f);
    out.seekp(static_cast<std::streamoff>(end - kWidth * sizeof(float)));
    out.write(reinterpret_cast<const char*>(row.data()), kWidth * sizeof(float));
    ASSERT_TRUE(out.good());
  }
  {
    const auto model = open_model(path);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ((*model)->spec.vocab, static_cast<std::int32_t>(kVocab));
    std::vector<float> row(kWidth);
    const std::int32_t last = kVocab - 1;
    tensor::gather_rows((*model)->weights.embedding, {&last, 1}, row.data());
    EXPECT_EQ(row[kWidth - 1], 0.25f);
  }
  std::remove(path.c_str());
}

TEST(Gguf, OpensTheDefaultModel) {
  const char* folder = std::getenv("PLINTH_TEST_MODELS");
  if (folder == nullptr) GTEST_SKIP() << "PLINTH_TEST_MODELS is not set";
  const auto model = open_model(std::string(folder) + "/SmolLM2-135M-Instruct.Q4_1.gguf");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->spec.layers, 30);
  EXPECT_EQ((*model)->spec.vocab, 49152);
  EXPECT_EQ((*model)->parameters, 134515008);
  EXPECT_NE((*model)->chat_template.find("im_start"), std::string::npos);
  EXPECT_EQ((*model)->tokenizer.pre, "smollm");
}

}  // namespace
}  // namespace plinth::model
