// Model files are hostile input: one case for each way that a GGUF file can lie. Every case is a
// whole valid file with one thing wrong, and the error must name it.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "model/gguf/gguf_decoder.h"
#include "model/gguf/gguf_reader.h"
#include "model/gguf/gguf_test_file.h"
#include "model/gguf/gguf_tokenizer.h"
#include "model/tokenizer.h"

namespace plinth::model {
namespace {

constexpr std::uint64_t kHuge = 1ull << 60;

absl::Status load(const std::string& bytes) {
  // An exact-size heap copy, so that the sanitizer sees a read past the end.
  const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  const auto gguf = parse_gguf(copy);
  RETURN_IF_ERROR(gguf.status());
  ASSIGN_OR_RETURN(const auto spec, decoder_spec_of(*gguf));
  RETURN_IF_ERROR(decoder_weights_of(*gguf, spec).status());
  ASSIGN_OR_RETURN(auto tokenizer, tokenizer_spec_of(*gguf));
  return make_tokenizer(std::move(tokenizer)).status();
}

struct Case {
  const char* name;
  std::function<void(GgufTestFile&)> spoil;
  const char* named;  // in the error
};

void expect_named(const std::vector<Case>& cases, const std::string& architecture = "llama") {
  for (const auto& c : cases) {
    auto file = tiny_gguf(architecture);
    c.spoil(file);
    const auto status = load(file.bytes());
    EXPECT_FALSE(status.ok()) << c.name;
    EXPECT_NE(base::message(status).find(c.named), std::string_view::npos)
        << c.name << ": expected \"" << c.named << "\", got " << status;
  }
}

// A case that sets one key of the architecture to an unsigned number.
Case with_u32(const char* name, const char* key, std::uint32_t value, const char* named) {
  return {name, [=](GgufTestFile& file) { file.set(key, gguf_u32(value)); }, named};
}
Case with_f32(const char* name, const char* key, float value, const char* named) {
  return {name, [=](GgufTestFile& file) { file.set(key, gguf_f32(value)); }, named};
}
// A case that changes one tensor's entry.
Case with_tensor(const char* name, const char* tensor, std::function<void(GgufTestTensor&)> change,
                 const char* named) {
  return {name, [=](GgufTestFile& file) { change(file.tensor(tensor)); }, named};
}

TEST(GgufHostile, TheFileItselfIsFine) {
  EXPECT_TRUE(load(tiny_gguf().bytes()).ok()) << load(tiny_gguf().bytes());
}

TEST(GgufHostile, EveryTruncationIsAnError) {
  const std::string whole = tiny_gguf().bytes();
  for (std::size_t size = 0; size < whole.size(); size += size < 3000 ? 1 : 997) {
    ASSERT_FALSE(load(whole.substr(0, size)).ok()) << size;
  }
}

TEST(GgufHostile, HeaderCounts) {
  expect_named({
      {"magic", [](auto& f) { f.magic = "GGUX"; }, "byte 0: not a GGUF file"},
      {"version 1", [](auto& f) { f.version = 1; }, "version 1"},
      {"version 9", [](auto& f) { f.version = 9; }, "version 9"},
      {"big-endian version", [](auto& f) { f.version = 3u << 24; }, "version 50331648"},
      {"tensor count", [](auto& f) { f.tensor_count = kHuge; }, "tensors"},
      {"tensor count wraps", [](auto& f) { f.tensor_count = ~0ull; }, "tensors"},
      {"one tensor too many", [](auto& f) { f.tensor_count = f.tensors.size() + 1; }, "tensor"},
      {"key count", [](auto& f) { f.key_count = ~0ull; }, "metadata keys"},
      {"one key too many", [](auto& f) { f.key_count = f.keys.size() + 1; }, ""},
  });
}

TEST(GgufHostile, KeysAndStrings) {
  expect_named({
      {"key length 2^63",
       [](auto& f) {
         f.keys[0] = {"", raw<std::uint64_t>(1ull << 63)};
       },
       "byte"},
      {"key too long", [](auto& f) { f.set(std::string(300, 'k'), gguf_u32(1)); },
       "metadata key of 300 bytes is over the limit of 256"},
      {"key twice", [](auto& f) { f.keys.push_back(f.keys[0]); },
       "metadata key general.architecture occurs twice"},
      {"key with a line break", [](auto& f) { f.set("a\nb", gguf_u32(1)); }, "unprintable"},
      {"value type 77", [](auto& f) { f.set("x", raw<std::uint32_t>(77)); },
       "x has unknown type 77"},
      {"string of 2^63",
       [](auto& f) { f.set("x", raw<std::uint32_t>(8) + raw<std::uint64_t>(1ull << 63)); },
       "x of 9223372036854775808 bytes is over the limit"},
      {"string past the end",
       [](auto& f) { f.set("x", raw<std::uint32_t>(8) + raw<std::uint64_t>(1u << 20)); },
       "file ends inside x"},
      {"bool 2", [](auto& f) { f.set("x", raw<std::uint32_t>(7) + raw<std::uint8_t>(2)); },
       "x is no boolean"},
      {"integer over int64", [](auto& f) { f.set("x", gguf_u64(~0ull)); }, "integer too large"},
      {"architecture is a number", [](auto& f) { f.set("general.architecture", gguf_u32(1)); },
       "general.architecture is not a string"},
      {"no architecture", [](auto& f) { f.erase("general.architecture"); }, "general.architecture"},
      {"unknown architecture", [](auto& f) { f.set("general.architecture", gguf_text("mamba")); },
       "architecture mamba is not supported"},
  });
}

TEST(GgufHostile, Arrays) {
  expect_named({
      {"count 2^62", [](auto& f) { f.set("x", gguf_array(8, 1ull << 62, "")); }, "too long"},
      {"count past the end", [](auto& f) { f.set("x", gguf_array(0, 3u << 20, "abc")); },
       "too long"},
      {"all arrays together",
       [](auto& f) {
         for (int i = 0; i < 5; ++i) {
           f.set("x" + std::to_string(i), gguf_array(0, 1u << 22, std::string(1u << 22, 'a')));
         }
       },
       "array x3 of 4194304 elements is too long"},
      {"nested", [](auto& f) { f.set("x", gguf_array(9, 1, gguf_array(4, 1, raw(1)))); },
       "array x has unsupported element type 9"},
      {"unknown element type", [](auto& f) { f.set("x", gguf_array(13, 1, "a")); },
       "array x has unsupported element type 13"},
      {"tokens are integers",
       [](auto& f) { f.set("tokenizer.ggml.tokens", gguf_array(4, 2, raw(1) + raw(2))); },
       "tokenizer.ggml.tokens is not an array of the right type"},
      {"tokens are one string", [](auto& f) { f.set("tokenizer.ggml.tokens", gguf_text("a")); },
       "tokenizer.ggml.tokens is not an array of the right type"},
      {"merges are floats",
       [](auto& f) { f.set("tokenizer.ggml.merges", gguf_array(6, 1, raw(1.0f))); },
       "tokenizer.ggml.merges is not an array of the right type"},
      {"types are strings", [](auto& f) { f.set("tokenizer.ggml.token_type", gguf_texts({"a"})); },
       "tokenizer.ggml.token_type is not an array of the right type"},
      {"types too few",
       [](auto& f) { f.set("tokenizer.ggml.token_type", gguf_array(5, 1, raw<std::int32_t>(1))); },
       "tokenizer.ggml.token_type"},
      {"type 7",
       [](auto& f) {
         std::string types;
         for (int i = 0; i < 40; ++i) types += raw<std::int32_t>(i == 20 ? 7 : 1);
         f.set("tokenizer.ggml.token_type", gguf_array(5, 40, types));
       },
       "tokenizer.ggml.token_type[20] is 7"},
  });
}

TEST(GgufHostile, Alignment) {
  static constexpr char kKey[] = "general.alignment";
  expect_named({
      with_u32("0", kKey, 0, "general.alignment is 0"),
      with_u32("no power of two", kKey, 48, "general.alignment is 48"),
      with_u32("unbounded", kKey, 1u << 31, "general.alignment is 2147483648"),
      {"2^63", [](auto& f) { f.set(kKey, gguf_u64(1ull << 63)); }, "integer too large"},
      {"a string", [](auto& f) { f.set(kKey, gguf_text("32")); },
       "general.alignment is not an integer"},
  });
}

TEST(GgufHostile, TensorEntries) {
  constexpr char kQ[] = "blk.0.attn_q.weight";
  const auto dims = [&](const char* name, std::vector<std::uint64_t> sizes, const char* named) {
    return with_tensor(
        name, kQ, [=](auto& t) { t.dims = sizes; }, named);
  };
  const auto offset = [&](const char* name, std::uint64_t value, const char* named) {
    return with_tensor(
        name, kQ, [=](auto& t) { t.offset = value; }, named);
  };
  const auto type = [&](const char* name, std::uint32_t value, const char* named) {
    return with_tensor(
        name, kQ, [=](auto& t) { t.type = value; }, named);
  };
  expect_named({
      with_tensor(
          "no dimensions", kQ, [](auto& t) { t.rank = 0; }, "has 0 dimensions"),
      with_tensor(
          "9 dimensions", kQ, [](auto& t) { t.rank = 9; }, "has 9 dimensions"),
      dims("dimension 0", {32, 0}, "blk.0.attn_q.weight: dimension 1 is 0"),
      dims("dimension 2^63", {1ull << 63}, "dimension 0 is 9223372036854775808"),
      dims("product wraps to 0", {1ull << 32, 1ull << 32}, "dimension 1 is 4294967296"),
      dims("product wraps to little", {(1ull << 32) + 1, 1ull << 32}, "dimension 1"),
      dims("bytes wrap", {1ull << 31, 1ull << 31}, "too large"),
      dims("over 2 GiB and not there", {1ull << 20, 1ull << 12}, "end after the file"),
      offset("past the end", 1ull << 40, "end after the file"),
      offset("wraps", ~0ull - 31, "end after the file"),
      offset("not aligned", 33, "offset 33 is not aligned to 32"),
      type("unsupported", 19, "tensor blk.0.attn_q.weight has type iq1_s (19)"),
      type("removed", 4, "tensor blk.0.attn_q.weight has type q4_2 (4)"),
      type("unknown", 4000000000u, "tensor blk.0.attn_q.weight has type 4000000000"),
      type("no whole blocks", 12, "32 columns are no whole q4_k blocks"),
      {"twice", [](auto& f) { f.tensors.push_back(f.tensors[4]); }, "attn_q.weight occurs twice"},
      with_tensor(
          "name too long", kQ, [](auto& t) { t.name = std::string(300, 'n'); },
          "tensor name of 300 bytes"),
  });
}

TEST(GgufHostile, TensorsAgainstTheDescription) {
  std::vector<Case> cases;
  static const char* const kNames[] = {
      "token_embd.weight",     "output_norm.weight",       "blk.0.attn_norm.weight",
      "blk.0.ffn_norm.weight", "blk.0.attn_q.weight",      "blk.0.attn_k.weight",
      "blk.0.attn_v.weight",   "blk.0.attn_output.weight", "blk.0.ffn_gate.weight",
      "blk.0.ffn_up.weight",   "blk.0.ffn_down.weight"};
  for (const char* name : kNames) {
    cases.push_back({name, [=](GgufTestFile& f) { f.erase(name); }, name});
    cases.push_back({name,
                     [=](GgufTestFile& f) {
                       auto& dims = f.tensor(name).dims;
                       dims.back() += 32;
                       if (std::string(name) == "token_embd.weight") dims = {64, 40};
                     },
                     name});
    cases.push_back({name, [=](GgufTestFile& f) { f.tensor(name).dims.push_back(2); }, name});
  }
  cases.push_back({"transposed",
                   [](GgufTestFile& f) {
                     f.tensor("blk.0.attn_k.weight").dims = {16, 32};
                   },
                   "tensor blk.0.attn_k.weight has shape [32, 16], expected [16, 32]"});
  cases.push_back({"another head",
                   [](GgufTestFile& f) {
                     f.tensor("output.weight").dims = {32, 39};
                   },
                   "tensor output.weight has shape [39, 32], expected [40, 32]"});
  cases.push_back({"a lone bias",
                   [](GgufTestFile& f) { f.tensor("blk.0.attn_q.bias").dims = {32}; },
                   "tensor blk.0.attn_k.bias is missing"});
  cases.push_back({"a layer too many",
                   [](GgufTestFile& f) { f.tensor("blk.1.attn_norm.weight").dims = {32}; },
                   "tensor blk.1.attn_norm.weight is no part of architecture llama"});
  cases.push_back({"another model's part",
                   [](GgufTestFile& f) { f.tensor("blk.0.attn_q_norm.weight").dims = {8}; },
                   "tensor blk.0.attn_q_norm.weight is no part of architecture llama"});
  expect_named(cases);
}

TEST(GgufHostile, Widths) {
  expect_named({
      with_u32("no layers", "llama.block_count", 0, "llama.block_count is 0"),
      with_u32("layers without tensors", "llama.block_count", 2,
               "blk.1.attn_norm.weight is missing"),
      with_u32("absurd layers", "llama.block_count", ~0u, "llama.block_count is 4294967295"),
      {"negative layers",
       [](auto& f) { f.set("llama.block_count", raw<std::uint32_t>(5) + raw<std::int32_t>(-1)); },
       "llama.block_count is -1"},
      {"layers as a float", [](auto& f) { f.set("llama.block_count", gguf_f32(1)); },
       "llama.block_count is not an integer"},
      {"layers missing", [](auto& f) { f.erase("llama.block_count"); }, "llama.block_count"},
      with_u32("no heads", "llama.attention.head_count", 0, "head_count is 0"),
      with_u32("heads do not divide", "llama.attention.head_count", 5, "do not fit"),
      with_u32("more heads than width", "llama.attention.head_count", 64, "do not fit"),
      with_u32("no kv heads", "llama.attention.head_count_kv", 0, "head_count_kv is 0"),
      with_u32("kv heads do not divide", "llama.attention.head_count_kv", 3, "do not fit"),
      with_u32("more kv heads", "llama.attention.head_count_kv", 8, "do not fit"),
      with_u32("heads of 2^20", "llama.attention.key_length", 1u << 20, "do not fit"),
      with_u32("values of another width", "llama.attention.value_length", 4,
               "llama.attention.value_length is 4"),
      with_u32("no width", "llama.embedding_length", 0, "embedding_length is 0"),
      with_u32("another width", "llama.embedding_length", 64, "shape"),
      with_u32("absurd width", "llama.embedding_length", 1u << 30,
               "embedding_length is 1073741824"),
      with_u32("another feed-forward", "llama.feed_forward_length", 128,
               "ffn_gate.weight has shape"),
      with_u32("no context", "llama.context_length", 0, "context_length is 0"),
      with_u32("absurd context", "llama.context_length", 1u << 31, "context_length is 2147483648"),
      {"context of 2^40", [](auto& f) { f.set("llama.context_length", gguf_u64(1ull << 40)); },
       "context_length is 1099511627776"},
  });
}

TEST(GgufHostile, Numerics) {
  constexpr char kEpsilon[] = "llama.attention.layer_norm_rms_epsilon";
  constexpr char kBase[] = "llama.rope.freq_base";
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  expect_named({
      with_f32("epsilon NaN", kEpsilon, nan, "layer_norm_rms_epsilon is nan"),
      with_f32("epsilon 0", kEpsilon, 0, "layer_norm_rms_epsilon is 0"),
      with_f32("epsilon negative", kEpsilon, -1e-5f, "layer_norm_rms_epsilon is -"),
      with_f32("epsilon infinite", kEpsilon, infinity, "layer_norm_rms_epsilon is inf"),
      with_f32("base NaN", kBase, nan, "freq_base is nan"),
      with_f32("base 0", kBase, 0, "freq_base is 0"),
      with_f32("base infinite", kBase, infinity, "freq_base is inf"),
      with_u32("odd rope", "llama.rope.dimension_count", 7, "rope.dimension_count is 7"),
      with_u32("rope over the head", "llama.rope.dimension_count", 10,
               "rope.dimension_count is 10"),
      with_u32("window 0", "llama.attention.sliding_window", 0, "sliding_window is 0"),
      {"unknown scaling", [](auto& f) { f.set("llama.rope.scaling.type", gguf_text("dynamic")); },
       "rope scaling dynamic is not supported"},
      with_f32("factor 0", "llama.rope.scaling.factor", 0, "rope.scaling.factor is 0"),
      with_f32("factor NaN", "llama.rope.scaling.factor", nan, "rope.scaling.factor is nan"),
      with_f32("factor below 1", "llama.rope.scaling.factor", 0.5f, "factor is 0.5"),
      {"yarn without its context",
       [](auto& f) {
         f.set("llama.rope.scaling.type", gguf_text("yarn"))
             .set("llama.rope.scaling.factor", gguf_f32(4));
       },
       "rope scaling yarn: the original context is 0"},
      {"divisors of another length", [](auto& f) { f.tensor("rope_freqs.weight").dims = {5}; },
       "tensor rope_freqs.weight is not 4 f32 numbers"},
      // The first of the numbers that test tensors hold is negative.
      {"divisors below 0", [](auto& f) { f.tensor("rope_freqs.weight").dims = {4}; },
       "rope_freqs[0] is -0.4"},
      {"long factors alone",
       [](auto& f) {
         f.tensor("rope_factors_long.weight").dims = {4};
         f.set("llama.rope.scaling.original_context_length", gguf_u32(16));
       },
       "rope scaling short_factor has 0 numbers for 4 pairs"},
  });
}

TEST(GgufHostile, Vocabulary) {
  expect_named({
      with_u32("eos outside", "tokenizer.ggml.eos_token_id", 40, "eos_token_id is 40"),
      with_u32("bos outside", "tokenizer.ggml.bos_token_id", ~0u, "bos_token_id is 4294967295"),
      {"no tokens", [](auto& f) { f.erase("tokenizer.ggml.tokens"); }, "tokenizer.ggml.tokens"},
      {"no tokenizer", [](auto& f) { f.erase("tokenizer.ggml.model"); }, "tokenizer.ggml.model"},
      {"unknown tokenizer", [](auto& f) { f.set("tokenizer.ggml.model", gguf_text("rwkv")); },
       "tokenizer.ggml.model rwkv is not supported"},
      {"over-long token",
       [](auto& f) {
         std::vector<std::string> tokens(40, "t");
         for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] += std::to_string(i);
         tokens[7] = std::string(5000, 'x');
         f.set("tokenizer.ggml.tokens", gguf_texts(tokens));
       },
       "5000"},
      {"vocabulary of 2^40",
       [](auto& f) {
         f.tensor("token_embd.weight").dims = {32, 1ull << 40};
       },
       "token_embd.weight"},
  });
}

TEST(GgufHostile, Experts) {
  const auto spoil = [](const char* key, std::uint32_t value) {
    return [=](GgufTestFile& f) {
      f.set("qwen3moe.expert_count", gguf_u32(4))
          .set("qwen3moe.expert_used_count", gguf_u32(2))
          .set("qwen3moe.expert_feed_forward_length", gguf_u32(32))
          .set(key, gguf_u32(value));
    };
  };
  expect_named(
      {{"count missing", [](auto&) {}, "qwen3moe.expert_count"},
       {"count 0", spoil("qwen3moe.expert_count", 0), "expert_count is 0"},
       {"count absurd", spoil("qwen3moe.expert_count", 1u << 20), "expert_count is 1048576"},
       {"none used", spoil("qwen3moe.expert_used_count", 0), "expert_used_count is 0"},
       {"more used than there are", spoil("qwen3moe.expert_used_count", 5), "5 of 4 experts"},
       {"tensors missing", spoil("x", 1), "blk.0.attn_q_norm.weight is missing"}},
      "qwen3moe");
}

// Sizes that pass 2^31 anywhere between header and view. The file is not written: only its header
// is parsed, over a mapping that would be there.
TEST(GgufHostile, SizesAreSixtyFourBits) {
  auto file = tiny_gguf();
  // 40 tokens of 2^20 and 3 GiB of padding before the last tensor.
  file.tensor("blk.0.ffn_down.weight").offset = 3ull << 30;
  const std::string header = file.bytes();
  std::vector<std::uint8_t> bytes;
  bytes.reserve(header.size());
  bytes.assign(header.begin(), header.end());
  const auto status = parse_gguf(bytes).status();
  EXPECT_NE(base::message(status).find("offset 3221225472 and 8192 bytes"), std::string_view::npos)
      << status;
}

}  // namespace
}  // namespace plinth::model
