// What a token costs in its answer.
#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <string>

#include "api/openai/chat_answer.h"

namespace plinth::api {

namespace {

constexpr int kRepeats = 200;

// The chunk of one token of a streamed chat.
std::function<void()> chat_chunk() {
  AnswerShape shape;
  shape.id = "chatcmpl-0123456789abcdef01234567";
  shape.model = "smollm2";
  shape.created = 1'700'000'000;
  const std::shared_ptr<Answer> answer = make_chat_stream(std::move(shape));
  auto out = std::make_shared<std::string>();
  answer->add(0, protocol::Admitted{10, 0, "fp_q4_1_avx2_134515008"}, *out);
  return [=] {
    out->clear();
    answer->add(0, protocol::Delta{0, " colours", {}, 1}, *out);
  };
}

}  // namespace

// A name that callgrind can be told: it counts what happens in here (tests/instructions).
extern "C" __attribute__((noinline)) void gate(const std::function<void()>& body) { body(); }

namespace {

void repeat(benchmark::State& state, const std::function<void()>& body) {
  for (auto _ : state) gate(body);
}

BENCHMARK_CAPTURE(repeat, chat_chunk, chat_chunk())->Iterations(kRepeats);

}  // namespace

}  // namespace plinth::api
