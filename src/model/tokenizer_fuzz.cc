// Any text through every family: what is encoded decodes to the same text, and what a stream shows
// is what decode() gives. The first byte chooses the family.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "model/tokenize/byte_alphabet.h"
#include "model/tokenize/utf8.h"
#include "model/tokenizer.h"

namespace {

using namespace plinth::model;

std::unique_ptr<Tokenizer> byte_level(const char* family) {
  TokenizerSpec spec;
  spec.pre = family;
  for (const auto code : byte_alphabet()) append_utf8(spec.tokens.emplace_back(), code);
  for (const char* pair : {"t h", "th e", "i n", "in g", "a a", "aa aa", "Ġ the", "Ġ Ġ", "Ã ©"}) {
    const std::string text = pair;
    const auto space = text.find(' ');
    spec.merges.push_back({text.substr(0, space), text.substr(space + 1)});
    spec.tokens.push_back(spec.merges.back().left + spec.merges.back().right);
  }
  spec.added.push_back({static_cast<TokenId>(spec.tokens.size()), "<|end|>", true});
  spec.tokens.push_back("<|end|>");
  return *make_tokenizer(std::move(spec));
}

std::unique_ptr<Tokenizer> sentencepiece() {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::sentencepiece_bpe;
  spec.add_space_prefix = false;
  for (int b = 0; b < 256; ++b) {
    spec.tokens.push_back(byte_token_text(static_cast<unsigned char>(b)));
    spec.scores.push_back(0);
  }
  float score = 0;
  for (const char* text : {"th", "the", "aa", "aaaa", "\xE2\x96\x81", "\xE2\x96\x81\xE2\x96\x81",
                           "t", "h", "e", "a", "\xC3\xA9", "\xE4\xB8\xAD"}) {
    spec.tokens.push_back(text);
    spec.scores.push_back(score -= 1);
  }
  return *make_tokenizer(std::move(spec));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* kTokenizers = [] {
    auto* all = std::make_unique<std::vector<std::unique_ptr<Tokenizer>>>().release();
    for (const char* family : {"gpt2", "smollm", "llama3", "gpt-4o", "tekken", "deepseek-llm",
                               "deepseek-coder", "deepseek-v3", "stablelm2"})
      all->push_back(byte_level(family));
    all->push_back(sentencepiece());
    return all;
  }();
  if (size == 0) return 0;
  const std::size_t choice = data[0] % kTokenizers->size();
  const Tokenizer& tokenizer = *(*kTokenizers)[choice];
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto ids = tokenizer.encode(text, {});
  if (!ids.ok()) std::abort();
  std::string expected = utf8_repaired(text);
  // SentencePiece writes a space as this character.
  if (choice + 1 == kTokenizers->size()) {
    for (auto at = expected.find("\xE2\x96\x81"); at != std::string::npos;
         at = expected.find("\xE2\x96\x81", at))
      expected.replace(at, 3, " ");
  }
  if (tokenizer.decode(*ids) != expected) std::abort();
  TextDecoder decoder(tokenizer);
  std::string streamed;
  for (const TokenId id : *ids) streamed += decoder.push(id);
  if (streamed + decoder.finish() != expected) std::abort();
  return 0;
}
