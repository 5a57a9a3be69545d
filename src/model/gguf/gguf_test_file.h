// For tests: GGUF files built byte by byte, right or wrong in any one place.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace plinth::model {

template <typename T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
inline std::string gguf_string(const std::string& text) {
  return raw<std::uint64_t>(text.size()) + text;
}
// Values with their type in front.
inline std::string gguf_u32(std::uint32_t value) { return raw<std::uint32_t>(4) + raw(value); }
inline std::string gguf_u64(std::uint64_t value) { return raw<std::uint32_t>(10) + raw(value); }
inline std::string gguf_f32(float value) { return raw<std::uint32_t>(6) + raw(value); }
inline std::string gguf_text(const std::string& text) {
  return raw<std::uint32_t>(8) + gguf_string(text);
}
inline std::string gguf_array(std::uint32_t type, std::uint64_t count, const std::string& bytes) {
  return raw<std::uint32_t>(9) + raw(type) + raw(count) + bytes;
}
inline std::string gguf_texts(const std::vector<std::string>& texts) {
  std::string bytes;
  for (const auto& text : texts) bytes += gguf_string(text);
  return gguf_array(8, texts.size(), bytes);
}

struct GgufTestTensor {
  std::string name;
  std::vector<std::uint64_t> dims;  // fastest first, as stored
  std::uint32_t type = 0;           // f32
  std::optional<std::uint32_t> rank;
  std::optional<std::uint64_t> offset;
};

struct GgufTestFile {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::optional<std::uint64_t> tensor_count, key_count;
  std::vector<std::pair<std::string, std::string>> keys;  // name, typed value
  std::vector<GgufTestTensor> tensors;
  std::size_t alignment = 32;

  GgufTestFile& set(const std::string& name, std::string value) {
    for (auto& [key, old] : keys) {
      if (key == name) {
        old = std::move(value);
        return *this;
      }
    }
    keys.emplace_back(name, std::move(value));
    return *this;
  }
  GgufTestFile& erase(const std::string& name) {
    std::erase_if(keys, [&](const auto& key) { return key.first == name; });
    std::erase_if(tensors, [&](const auto& tensor) { return tensor.name == name; });
    return *this;
  }
  GgufTestTensor& tensor(const std::string& name) {
    for (auto& tensor : tensors) {
      if (tensor.name == name) return tensor;
    }
    return tensors.emplace_back(GgufTestTensor{name, {1}, 0, {}, {}});
  }

  // Every tensor is f32 numbers that differ from each other.
  std::string bytes() const {
    std::string header = magic + raw(version) +
                         raw<std::uint64_t>(tensor_count.value_or(tensors.size())) +
                         raw<std::uint64_t>(key_count.value_or(keys.size()));
    for (const auto& [name, value] : keys) header += gguf_string(name) + value;
    std::string data;
    for (const auto& tensor : tensors) {
      data.resize((data.size() + alignment - 1) / alignment * alignment);
      header +=
          gguf_string(tensor.name) +
          raw<std::uint32_t>(tensor.rank.value_or(static_cast<std::uint32_t>(tensor.dims.size())));
      std::uint64_t elements = 1;
      for (const auto size : tensor.dims) {
        header += raw(size);
        elements *= size;
      }
      header += raw(tensor.type) + raw<std::uint64_t>(tensor.offset.value_or(data.size()));
      constexpr std::uint64_t kElementsMax = 1 << 20;  // hostile shapes get no data
      for (std::uint64_t i = 0; i < elements && elements <= kElementsMax; ++i) {
        data += raw(0.01f * static_cast<float>(i % 97) - 0.4f);
      }
    }
    header.resize((header.size() + alignment - 1) / alignment * alignment);
    return header + data;
  }
};

// One layer of width 32: 4 heads of 8, 2 key/value heads, feed-forward 64, 40 tokens.
inline GgufTestFile tiny_gguf(const std::string& architecture = "llama") {
  GgufTestFile file;
  const auto set = [&](const char* name, std::uint32_t value) {
    file.set(architecture + "." + name, gguf_u32(value));
  };
  file.set("general.architecture", gguf_text(architecture));
  set("block_count", 1);
  set("context_length", 64);
  set("embedding_length", 32);
  set("feed_forward_length", 64);
  set("attention.head_count", 4);
  set("attention.head_count_kv", 2);
  file.set(architecture + ".attention.layer_norm_rms_epsilon", gguf_f32(1e-5f));
  file.set(architecture + ".rope.freq_base", gguf_f32(10000));
  file.set("tokenizer.ggml.model", gguf_text("gpt2"));
  file.set("tokenizer.ggml.pre", gguf_text("smollm"));
  std::vector<std::string> tokens;
  std::string types;
  for (int i = 0; i < 40; ++i) {
    tokens.push_back("t" + std::to_string(i));
    types += raw<std::int32_t>(i == 0 ? 3 : 1);
  }
  file.set("tokenizer.ggml.tokens", gguf_texts(tokens));
  file.set("tokenizer.ggml.token_type", gguf_array(5, 40, types));
  file.set("tokenizer.ggml.merges", gguf_texts({}));
  file.set("tokenizer.ggml.eos_token_id", gguf_u32(0));
  const std::pair<const char*, std::vector<std::uint64_t>> shapes[] = {
      {"token_embd.weight", {32, 40}},     {"output_norm.weight", {32}},
      {"blk.0.attn_norm.weight", {32}},    {"blk.0.ffn_norm.weight", {32}},
      {"blk.0.attn_q.weight", {32, 32}},   {"blk.0.attn_k.weight", {32, 16}},
      {"blk.0.attn_v.weight", {32, 16}},   {"blk.0.attn_output.weight", {32, 32}},
      {"blk.0.ffn_gate.weight", {32, 64}}, {"blk.0.ffn_up.weight", {32, 64}},
      {"blk.0.ffn_down.weight", {64, 32}},
  };
  for (const auto& [name, dims] : shapes) file.tensor(name).dims = dims;
  return file;
}

}  // namespace plinth::model
