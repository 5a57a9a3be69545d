#include "train/objective.h"

#include <fmt/format.h>

#include <numeric>
#include <vector>

#include "base/check.h"
#include "train/ops/token_log_probs.h"
#include "train/packing.h"

namespace plinth::train {

namespace {

class TokenObjective final : public Objective {
 public:
  explicit TokenObjective(const Dataset& data) : data_(data) {}

  std::int64_t records() const override { return data_.report().examples; }
  std::int64_t tokens(std::size_t record) const override {
    return data_.examples()[record].inputs();
  }
  double weight(std::size_t record) const override {
    return static_cast<double>(data_.examples()[record].targets());
  }
  Loss pass(Pass& pass, std::span<const std::size_t> records) override {
    const auto batch = batch_of(data_.examples(), {records.begin(), records.end()});
    auto& hidden = pass.decoder.hidden(pass.tape, batch, pass.recompute);
    const auto loss = cross_entropy(pass.tape, hidden, pass.decoder.head(), batch,
                                    pass.decoder.head_shape(), pass.factor);
    pass.tape.recording() ? pass.tape.backward() : pass.tape.clear();
    pass.tokens += batch.tokens();
    return loss;
  }
  void describe(base::json::object& run) const override {
    run["data"] = fmt::format("{:016x}", data_.fingerprint());
    run["examples"] = records();
  }

 private:
  const Dataset& data_;
};

class PreferenceObjective final : public Objective {
 public:
  PreferenceObjective(const ObjectiveOptions& options, const Dataset& data)
      : options_(options), data_(data), references_(data.examples().size()) {
    CHECK(data.is_preference());
  }

  // By the decoder as it is.
  void set_references(Decoder<float>& decoder, std::int64_t pass_tokens, Compute& compute) {
    std::vector<std::int64_t> lengths;
    for (const auto& example : data_.examples()) lengths.push_back(example.inputs());
    Tape<float> tape(compute);
    tape.set_recording(false);
    for (const auto& together : pack(lengths, pass_tokens)) {
      const auto batch = batch_of(data_.examples(), together);
      auto& hidden = decoder.hidden(tape, batch, Recompute::full);
      const auto& scores =
          token_log_probs(tape, hidden, decoder.head(), batch, decoder.head_shape());
      for (std::size_t i = 0; i < together.size(); ++i)
        references_[together[i]] = score(scores, batch.documents[i]);
      tape.clear();
    }
  }

  std::int64_t records() const override { return data_.report().examples; }
  std::int64_t tokens(std::size_t record) const override {
    return data_.examples()[2 * record].inputs() + data_.examples()[2 * record + 1].inputs();
  }
  double weight(std::size_t) const override { return 1; }

  Loss pass(Pass& pass, std::span<const std::size_t> records) override {
    std::vector<std::size_t> examples;
    for (const auto record : records) examples.insert(examples.end(), {2 * record, 2 * record + 1});
    const auto batch = batch_of(data_.examples(), examples);
    auto& hidden = pass.decoder.hidden(pass.tape, batch, pass.recompute);
    auto& scores =
        token_log_probs(pass.tape, hidden, pass.decoder.head(), batch, pass.decoder.head_shape());
    Loss loss;
    for (std::size_t i = 0; i < examples.size(); i += 2) {
      const auto& preferred = batch.documents[i];
      const auto& other = batch.documents[i + 1];
      const auto pair =
          pair_loss(options_.method, options_.preference, answer(scores, preferred, examples[i]),
                    answer(scores, other, examples[i + 1]));
      loss += {pair.loss, 1, 1, pair.margin > 0 ? 1 : 0, pair.margin};
      if (!scores.wants_grad) continue;
      add_slope(pass, scores, preferred, pair.preferred_slope);
      add_slope(pass, scores, other, pair.other_slope);
    }
    pass.tape.recording() ? pass.tape.backward() : pass.tape.clear();
    pass.tokens += batch.tokens();
    return loss;
  }

  void describe(base::json::object& run) const override {
    run["data"] = fmt::format("{:016x}", data_.fingerprint());
    run["examples"] = records();
    run["method"] = method_name(options_.method);
    run["beta"] = options_.preference.beta;
    run["label_smoothing"] = options_.preference.label_smoothing;
  }

 private:
  // In the order of its tokens; what is not learnt is 0.
  static double score(const Var<float>& scores, const Document& document) {
    const float* begin = scores.value + document.begin;
    return std::accumulate(begin, begin + document.tokens, 0.0);
  }
  AnswerScore answer(const Var<float>& scores, const Document& document,
                     std::size_t example) const {
    return {score(scores, document), references_[example], data_.examples()[example].targets()};
  }
  static void add_slope(Pass& pass, Var<float>& scores, const Document& document, double slope) {
    float* grad = pass.tape.grad(scores) + document.begin;
    for (std::int64_t t = 0; t < document.tokens; ++t)
      grad[t] += static_cast<float>(pass.factor * slope);
  }

  const ObjectiveOptions options_;
  const Dataset& data_;
  std::vector<double> references_;  // by example
};

}  // namespace

std::unique_ptr<Objective> make_objective(const ObjectiveOptions& options, const Dataset& data,
                                          Decoder<float>& decoder, std::int64_t pass_tokens,
                                          Compute& compute) {
  if (!prefers(options.method)) return std::make_unique<TokenObjective>(data);
  auto objective = std::make_unique<PreferenceObjective>(options, data);
  if (has_reference(options.method)) objective->set_references(decoder, pass_tokens, compute);
  return objective;
}

}  // namespace plinth::train
