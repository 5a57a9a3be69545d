// Random padding of streamed chunks. Who watches an encrypted stream sees the size of every packet
// and so the length of every token, which is enough to guess at the text (Weiss et al., "What Was
// Your Prompt? A Remote Keylogging Attack on AI Assistants", USENIX Security 2024).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace plinth::api {

// Not thread-safe: one for each stream.
class Obfuscator {
 public:
  // `seed` is drawn at random for each stream; tests fix it.
  explicit Obfuscator(std::uint64_t seed) : seed_(seed) {}

  // Appends `,"obfuscation":"..."` for a chunk whose text is `text_bytes` long: both together have
  // a length that says little about the text's.
  void append(std::string& out, std::size_t text_bytes);

 private:
  const std::uint64_t seed_;
  std::uint64_t chunks_ = 0;
};

}  // namespace plinth::api
