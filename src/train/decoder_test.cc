// The trainable decoder against PyTorch (tests/golden/training, which
// tools/fixtures/make_training_fixtures.py makes) and against itself.
#include "train/decoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "base/file.h"
#include "base/json.h"
#include "model/model_file.h"
#include "tests/support/source_dir.h"
#include "train/optimizer.h"

namespace plinth::train {
namespace {

const std::string kGolden = source_dir() + "/tests/golden/";

base::json::value read_json(const std::string& path) {
  return *base::parse_json(*base::read_file(kGolden + path, 1 << 20));
}

std::vector<std::int32_t> golden_tokens(const std::string& name) {
  std::vector<std::int32_t> tokens;
  const auto sequences = read_json("architecture/" + name + "/sequences.json");
  for (const auto& token : sequences.at(0).as_array())
    tokens.push_back(static_cast<std::int32_t>(token.as_int64()));
  return tokens;
}

// `skipped`: targets of the first document that do not count.
Batch batch_of(const std::vector<std::int32_t>& tokens, const std::vector<std::size_t>& lengths,
               std::size_t skipped) {
  Batch batch;
  std::size_t begin = 0;
  for (const auto length : lengths) {
    batch.documents.push_back({batch.tokens(), static_cast<std::int64_t>(length)});
    for (std::size_t i = 0; i < length; ++i) {
      batch.ids.push_back(tokens[begin + i]);
      batch.targets.push_back(tokens[begin + i + 1]);
      batch.weights.push_back(begin == 0 && i < skipped ? 0.0f : 1.0f);
    }
    begin += length + 1;
  }
  return batch;
}

double weight_of(const Batch& batch) {
  return std::accumulate(batch.weights.begin(), batch.weights.end(), 0.0);
}

template <typename T>
std::unique_ptr<Decoder<T>> open_decoder(const std::string& name, const LoraOptions& lora = {}) {
  auto file = model::open_model(kGolden + "architecture/" + name);
  EXPECT_TRUE(file.ok()) << file.status();
  auto made = Decoder<T>::make((*file)->spec, (*file)->weights, lora);
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

// Gradients are added up; returns the mean loss.
template <typename T>
double pass(Decoder<T>& decoder, Tape<T>& tape, const Batch& batch, double factor,
            Recompute recompute = Recompute::none) {
  auto& hidden = decoder.hidden(tape, batch, recompute);
  const auto loss =
      cross_entropy(tape, hidden, decoder.head(), batch, decoder.head_shape(), factor);
  tape.recording() ? tape.backward() : tape.clear();
  return loss.mean();
}

class Training : public ::testing::TestWithParam<const char*> {
 protected:
  Batch golden_batch() const { return batch_of(golden_tokens(GetParam()), {24, 13}, 6); }
};

// The distance of a parameter's gradient from PyTorch's, by the norm of that.
template <typename T>
double distance(const Parameter<T>& parameter, const float* expected) {
  double distance = 0, norm = 0;
  for (std::size_t i = 0; i < parameter.grad.size(); ++i) {
    const auto difference =
        static_cast<double>(parameter.grad[i]) - static_cast<double>(expected[i]);
    distance += difference * difference;
    norm += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  // A key's bias changes no probability: its gradient is rounding alone.
  return std::sqrt(distance) / std::max(std::sqrt(norm), 1e-2);
}

TEST_P(Training, GradientsAreThoseOfPyTorch) {
  const auto golden = read_json(std::string("training/") + GetParam() + ".json");
  const auto bytes = *base::read_file(kGolden + "training/" + GetParam() + ".f32", 1 << 20);
  std::vector<float> expected(bytes.size() / sizeof(float));
  std::memcpy(expected.data(), bytes.data(), bytes.size());
  const auto batch = golden_batch();
  auto decoder = open_decoder<float>(GetParam());
  base::ThreadPool threads(2);
  Compute compute(threads);
  Tape<float> tape(compute);
  const double loss = pass(*decoder, tape, batch, 1 / weight_of(batch));
  const double expected_loss = golden.at("losses").at(0).as_double();
  EXPECT_NEAR(loss, expected_loss, 1e-5 * expected_loss);
  const auto& index = golden.at("gradients").as_object();
  EXPECT_EQ(index.size(), decoder->parameters().all().size());
  for (const auto& parameter : decoder->parameters().all()) {
    const auto* at = index.if_contains(parameter.name);
    ASSERT_NE(at, nullptr) << parameter.name;
    EXPECT_LT(distance(parameter, expected.data() + at->as_int64()), 1e-5) << parameter.name;
  }
}

TEST_P(Training, TenStepsLoseWhatPyTorchLoses) {
  const auto golden = read_json(std::string("training/") + GetParam() + ".json");
  const auto batch = golden_batch();
  auto decoder = open_decoder<float>(GetParam());
  base::ThreadPool threads(2);
  Compute compute(threads);
  Tape<float> tape(compute);
  AdamW<float> optimizer(decoder->parameters(), {});
  for (const auto& expected : golden.at("losses").as_array()) {
    decoder->parameters().clear_gradients();
    const double loss = pass(*decoder, tape, batch, 1 / weight_of(batch));
    EXPECT_NEAR(loss, expected.as_double(), 1e-5 * expected.as_double());
    optimizer.step(3e-3, 1, threads);
  }
}

// All gradients after one pass.
template <typename T>
std::vector<T> gradients(const std::string& name, const Batch& batch, int thread_count,
                         Recompute recompute, const LoraOptions& lora = {}) {
  auto decoder = open_decoder<T>(name, lora);
  base::ThreadPool threads(thread_count);
  Compute compute(threads);
  Tape<T> tape(compute);
  pass(*decoder, tape, batch, 1.0, recompute);
  std::vector<T> all;
  for (const auto& parameter : decoder->parameters().all())
    all.insert(all.end(), parameter.grad.begin(), parameter.grad.end());
  return all;
}

TEST_P(Training, BitsDependNeitherOnThreadsNorOnRecomputation) {
  const auto batch = golden_batch();
  const auto expected = gradients<float>(GetParam(), batch, 1, Recompute::none);
  EXPECT_TRUE(expected == gradients<float>(GetParam(), batch, 3, Recompute::none));
  EXPECT_TRUE(expected == gradients<float>(GetParam(), batch, 2, Recompute::full));
  LoraOptions lora;
  lora.rank = 4;
  lora.targets = {"q", "v", "down"};
  EXPECT_TRUE(gradients<float>(GetParam(), batch, 1, Recompute::none, lora) ==
              gradients<float>(GetParam(), batch, 2, Recompute::full, lora));
}

// Distance of a from b by the norm of b.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double distance = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    distance += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(distance / norm);
}

// Each batch on its own, all gradients added up, by the targets of all together.
std::vector<float> accumulated(const std::string& name, const std::vector<Batch>& batches) {
  auto decoder = open_decoder<float>(name);
  base::ThreadPool threads(2);
  Compute compute(threads);
  Tape<float> tape(compute);
  double weight = 0;
  for (const auto& batch : batches) weight += weight_of(batch);
  for (const auto& batch : batches) pass(*decoder, tape, batch, 1 / weight);
  std::vector<float> all;
  for (const auto& parameter : decoder->parameters().all())
    all.insert(all.end(), parameter.grad.begin(), parameter.grad.end());
  return all;
}

TEST_P(Training, PackedOrOneByOneLearnsTheSame) {
  const auto tokens = golden_tokens(GetParam());
  const auto part = [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
    return std::vector<std::int32_t>(tokens.begin() + begin, tokens.begin() + end);
  };
  const auto packed = accumulated(GetParam(), {batch_of(tokens, {24, 13, 3}, 6)});
  const auto apart =
      accumulated(GetParam(), {batch_of(part(0, 25), {24}, 6), batch_of(part(25, 39), {13}, 0),
                               batch_of(part(39, 43), {3}, 0)});
  const auto two =
      accumulated(GetParam(), {batch_of(part(0, 39), {24, 13}, 6), batch_of(part(39, 43), {3}, 0)});
  EXPECT_LT(distance(apart, packed), 1e-5);
  EXPECT_LT(distance(two, packed), 1e-5);
}

// The engine's own test holds it to the same numbers.
TEST_P(Training, LogitsAreThoseThatAreServed) {
  const auto tokens = golden_tokens(GetParam());
  const auto bytes =
      *base::read_file(kGolden + "architecture/" + GetParam() + "/logits.f32", 1 << 20);
  auto decoder = open_decoder<float>(GetParam());
  base::ThreadPool threads(2);
  Compute compute(threads);
  Tape<float> tape(compute);
  tape.set_recording(false);
  Batch batch;
  batch.ids = tokens;
  batch.documents = {{0, batch.tokens()}};
  const auto& hidden = decoder->hidden(tape, batch, Recompute::none);
  std::vector<float> logits(bytes.size() / sizeof(float));
  head_logits(hidden, 0, hidden.rows, decoder->head(), decoder->head_shape(), logits.data(),
              compute);
  std::vector<float> expected(logits.size());
  std::memcpy(expected.data(), bytes.data(), bytes.size());
  EXPECT_LT(distance(logits, expected), 1e-5);
}

TEST_P(Training, AFrozenBaseThatIsPackedIsTheSame) {
  const auto batch = golden_batch();
  LoraOptions lora;
  lora.rank = 4;
  base::ThreadPool threads(2);
  Compute compute(threads);
  const auto file = *model::open_model(kGolden + "architecture/" + GetParam());
  const auto gradients_of = [&](Compute* packs, bool keep_stored = false) {
    lora.keep_stored = keep_stored;
    const auto decoder = *Decoder<float>::make(file->spec, file->weights, lora, packs);
    for (auto& parameter : decoder->parameters().all()) {
      // So that both factors have gradients.
      if (parameter.name.find("lora_b") != std::string::npos)
        for (auto& number : parameter.value) number = 0.01f;
    }
    Tape<float> tape(compute);
    pass(*decoder, tape, batch, 1.0);
    std::vector<float> all;
    for (const auto& parameter : decoder->parameters().all())
      all.insert(all.end(), parameter.grad.begin(), parameter.grad.end());
    return all;
  };
  const auto plain = gradients_of(nullptr);
  EXPECT_TRUE(gradients_of(&compute) == plain);
  EXPECT_TRUE(gradients_of(&compute, true) == plain);
}

// The second step's products are those of the first one's outcome.
TEST_P(Training, WeightsThatArePackedBetweenStepsLearnTheSame) {
  const auto batch = golden_batch();
  base::ThreadPool threads(2);
  Compute compute(threads);
  const auto learnt = [&](bool packs) {
    auto decoder = open_decoder<float>(GetParam());
    AdamW<float> optimizer(decoder->parameters(), {});
    Tape<float> tape(compute);
    for (int step = 0; step < 2; ++step) {
      decoder->parameters().clear_gradients();
      if (packs) decoder->pack(compute);
      pass(*decoder, tape, batch, 1.0);
      decoder->unpack();
      optimizer.step(1e-3, 1, threads);
    }
    std::vector<float> all;
    for (const auto& parameter : decoder->parameters().all())
      all.insert(all.end(), parameter.value.begin(), parameter.value.end());
    return all;
  };
  EXPECT_TRUE(learnt(true) == learnt(false));
}

TEST_P(Training, AnAdapterBeginsAtNothingAndLearnsAlone) {
  const auto batch = golden_batch();
  LoraOptions lora;
  lora.rank = 3;
  lora.targets = {"q", "k", "v", "o", "up", "down"};
  auto decoder = open_decoder<double>(GetParam(), lora);
  auto base = open_decoder<double>(GetParam());
  base::ThreadPool threads(2);
  Compute compute(threads);
  Tape<double> tape(compute);
  EXPECT_EQ(pass(*decoder, tape, batch, 1), pass(*base, tape, batch, 0));
  for (auto& parameter : decoder->parameters().all()) {
    const bool is_adapter = parameter.name.find(".lora_") != std::string::npos;
    EXPECT_EQ(parameter.learns(), is_adapter) << parameter.name;
  }
  // Along what it learnt the loss falls as the gradients say.
  std::mt19937_64 random(3);
  double slope = 0;
  std::vector<std::vector<double>> directions;
  for (auto& parameter : decoder->parameters().all()) {
    auto& direction = directions.emplace_back();
    for (std::size_t i = 0; i < parameter.grad.size(); ++i) {
      direction.push_back(std::normal_distribution<double>()(random));
      // Where the second factor is 0 the first one's gradient is, too.
      parameter.value[i] += 0.05 * std::normal_distribution<double>()(random);
    }
  }
  decoder->parameters().clear_gradients();
  pass(*decoder, tape, batch, 1 / weight_of(batch));
  const auto move = [&](double step) {
    std::size_t at = 0;
    for (auto& parameter : decoder->parameters().all()) {
      const auto& direction = directions[at++];
      for (std::size_t i = 0; i < direction.size(); ++i) parameter.value[i] += step * direction[i];
    }
  };
  std::size_t at = 0;
  for (auto& parameter : decoder->parameters().all()) {
    const auto& direction = directions[at++];
    for (std::size_t i = 0; i < direction.size(); ++i) slope += direction[i] * parameter.grad[i];
  }
  tape.set_recording(false);
  move(1e-6);
  const double above = pass(*decoder, tape, batch, 0);
  move(-2e-6);
  const double below = pass(*decoder, tape, batch, 0);
  EXPECT_NEAR((above - below) / 2e-6, slope, 1e-6 * std::abs(slope));
}

INSTANTIATE_TEST_SUITE_P(All, Training,
                         ::testing::Values("llama", "llama_llama3", "mistral", "smollm3", "qwen2",
                                           "qwen3", "gemma2", "gemma3", "gpt2"));

}  // namespace
}  // namespace plinth::train
