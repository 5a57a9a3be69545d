// What a token costs in its decoding.
#include <benchmark/benchmark.h>

#include <functional>
#include <memory>

#include "model/tokenizer.h"

namespace plinth::model {

namespace {

constexpr int kRepeats = 200;

// Eight tokens of one word each.
std::function<void()> detokenizer() {
  TokenizerSpec spec;
  for (const char* token : {"\xC4\xA0three",
                            "\xC4\xA0"
                            "colours",
                            ":", "\xC4\xA0red", ",", "\xC4\xA0green",
                            "\xC4\xA0"
                            "and",
                            "\xC4\xA0"
                            "blue"}) {
    spec.tokens.emplace_back(token);
  }
  const std::shared_ptr<Tokenizer> tokenizer = *make_tokenizer(std::move(spec));
  auto decoder = std::make_shared<TextDecoder>(*tokenizer);
  return [tokenizer, decoder] {
    for (int id = 0; id < 8; ++id) (void)decoder->push(id);
  };
}

}  // namespace

// A name that callgrind can be told: it counts what happens in here (tests/instructions).
extern "C" __attribute__((noinline)) void gate(const std::function<void()>& body) { body(); }

namespace {

void repeat(benchmark::State& state, const std::function<void()>& body) {
  for (auto _ : state) gate(body);
}

BENCHMARK_CAPTURE(repeat, detokenizer_8, detokenizer())->Iterations(kRepeats);

}  // namespace

}  // namespace plinth::model
