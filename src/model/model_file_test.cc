#include "model/model_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <functional>

#include "model/gguf/gguf_decoder.h"
#include "model/gguf/gguf_reader.h"

namespace plinth::model {
namespace {

std::string tiny_bytes() {
  return *base::read_file(std::string(PLINTH_SOURCE_DIR) + "/tests/golden/model/tiny_llama.gguf",
                          1 << 20);
}

absl::Status load(const std::string& bytes) {
  // An exact-size heap copy, so that the sanitizer sees a read past the end.
  const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  const auto gguf = parse_gguf(copy);
  RETURN_IF_ERROR(gguf.status());
  ASSIGN_OR_RETURN(const auto spec, decoder_spec_of(*gguf));
  RETURN_IF_ERROR(decoder_weights_of(*gguf, spec).status());
  return tokenizer_spec_of(*gguf).status();
}

// The tiny file with the bytes after the first occurrence of `key` changed by `edit`.
std::string edited(const std::string& key, std::size_t skip, const std::string& with) {
  std::string bytes = tiny_bytes();
  const auto at = bytes.find(key);
  EXPECT_NE(at, std::string::npos) << key;
  bytes.replace(at + key.size() + skip, with.size(), with);
  return bytes;
}

std::string replaced(const std::string& from, const std::string& to) {
  std::string bytes = tiny_bytes();
  return bytes.replace(bytes.find(from), from.size(), to);
}

template <typename T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

TEST(Gguf, ReadsTheTinyFile) {
  const auto model =
      open_model(std::string(PLINTH_SOURCE_DIR) + "/tests/golden/model/tiny_llama.gguf");
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

TEST(Gguf, EveryTruncationIsAnError) {
  const std::string whole = tiny_bytes();
  for (std::size_t size = 0; size < whole.size(); size += size < 4096 ? 1 : 97) {
    ASSERT_FALSE(load(whole.substr(0, size)).ok()) << size;
  }
  EXPECT_TRUE(load(whole).ok());
}

TEST(Gguf, NamesTheFieldThatIsWrong) {
  const struct {
    std::string bytes, named;
  } cases[] = {
      {edited("GGUF", 0, raw<std::uint32_t>(9)), "version 9"},
      {edited("GGUF", 4, raw<std::uint64_t>(1ull << 60)), "tensors"},
      {edited("GGUF", 12, raw<std::uint64_t>(1ull << 60)), "metadata keys"},
      {edited("llama.block_count", 4, raw<std::uint32_t>(0)), "llama.block_count"},
      {edited("llama.block_count", 4, raw<std::uint32_t>(2)), "blk.1.attn_norm.weight is missing"},
      {edited("llama.block_count", 0, raw<std::uint32_t>(77)), "unknown type 77"},
      {edited("llama.block_count", 0, raw<std::uint32_t>(6)), "not an integer"},
      {edited("llama.feed_forward_length", 4, raw<std::uint32_t>(128)),
       "ffn_gate.weight has shape"},
      {edited("llama.attention.head_count_kv", 4, raw<std::uint32_t>(3)), "key/value heads"},
      {edited("tokenizer.ggml.tokens", 8, raw<std::uint64_t>(1ull << 62)), "too long"},
      {edited("tokenizer.ggml.tokens", 4, raw<std::uint32_t>(9)), "unsupported element type"},
      {edited("tokenizer.ggml.eos_token_id", 4, raw<std::uint32_t>(40)), "outside the vocabulary"},
      {edited("blk.0.attn_q.weight", 0, raw<std::uint32_t>(9)), "9 dimensions"},
      {edited("blk.0.attn_q.weight", 4, raw<std::uint64_t>(1ull << 63)), "dimension 0"},
      {edited("blk.0.attn_q.weight", 4, raw<std::uint64_t>(33)), "no whole q8_0 blocks"},
      {edited("blk.0.attn_q.weight", 12, raw<std::uint64_t>(1ull << 60)), "dimension 1"},
      {edited("blk.0.attn_q.weight", 20, raw<std::uint32_t>(19)), "unsupported type 19"},
      {edited("blk.0.attn_q.weight", 24, raw<std::uint64_t>(1ull << 40)), "end after the file"},
      {edited("blk.0.attn_q.weight", 24, raw<std::uint64_t>(~0ull - 31)), "end after the file"},
      {edited("blk.0.attn_q.weight", 24, raw<std::uint64_t>(33)), "not aligned"},
      {replaced("blk.0.attn_k.weight", "blk.0.attn_q.weight"), "occurs twice"},
  };
  for (const auto& c : cases) {
    const auto status = load(c.bytes);
    EXPECT_FALSE(status.ok()) << c.named;
    EXPECT_NE(base::message(status).find(c.named), std::string_view::npos)
        << "expected " << c.named << ", got " << status;
  }
}

TEST(Gguf, RefusesAnUnknownArchitectureByName) {
  std::string bytes = tiny_bytes();
  const auto at = bytes.find("llama", bytes.find("general.architecture"));
  bytes.replace(at, 5, "mamba");
  const auto status = load(bytes);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(base::message(status).find("mamba"), std::string_view::npos);
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
