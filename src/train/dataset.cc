#include "train/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "train/limits.h"

namespace plinth::train {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// What is wrong with a file, as far as anybody reads it.
class Complaints {
 public:
  void add(std::int64_t line, const absl::Status& status) {
    if (++count_ > kDataErrorsMax) return;
    text_ += fmt::format("{}line {}: {}", text_.empty() ? "" : "\n", line, base::message(status));
  }
  absl::Status status() const {
    if (count_ == 0) return absl::OkStatus();
    if (count_ <= kDataErrorsMax) return base::invalid_argument(text_);
    return base::invalid_argument(fmt::format("{}\nand {} more", text_, count_ - kDataErrorsMax));
  }

 private:
  std::size_t count_ = 0;
  std::string text_;
};

// Of a preference two, else one.
absl::StatusOr<std::vector<Example>> encode(const Record& record, const ExampleEncoder& encoder,
                                            const DataOptions& options) {
  if (!options.preferences) {
    ASSIGN_OR_RETURN(auto example, encoder.encode(record));
    return std::vector<Example>{std::move(example)};
  }
  const auto* preference = std::get_if<PreferenceRecord>(&record);
  if (preference == nullptr) {
    return base::invalid_argument(
        "it is no preference: give it `input`, `preferred_output` and `non_preferred_output`, or "
        "choose the method sft");
  }
  ASSIGN_OR_RETURN(auto pair, encoder.encode_pair(*preference));
  return std::vector<Example>{std::move(pair.first), std::move(pair.second)};
}

absl::StatusOr<std::vector<Example>> read_line(std::string_view line, const ExampleEncoder& encoder,
                                               const DataOptions& options, DataReport& report) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos)
    return base::invalid_argument("it is empty: take it out");
  ASSIGN_OR_RETURN(const auto record, read_record(line));
  ASSIGN_OR_RETURN(auto examples, encode(record, encoder, options));
  const auto most = static_cast<std::size_t>(options.tokens_max);
  for (auto& example : examples) {
    const bool cut = example.ids.size() > most;
    if (cut) {
      example.ids.resize(most);
      example.learnt.resize(most);
    }
    if (example.targets() == 0) {
      return base::invalid_argument(
          cut ? fmt::format("nothing of its first {} tokens is learnt: shorten what comes before",
                            most)
              : "nothing of it is learnt");
    }
    report.truncated += cut ? 1 : 0;
  }
  return examples;
}

}  // namespace

void Dataset::add(std::vector<Example> record) {
  for (auto& example : record) {
    const auto tokens = static_cast<std::int64_t>(example.ids.size());
    report_.tokens += tokens;
    report_.targets += example.targets();
    report_.longest = std::max(report_.longest, tokens);
    examples_.push_back(std::move(example));
  }
  report_.examples = static_cast<std::int64_t>(examples_.size() / per_record_);
}

Dataset::Key Dataset::key(std::size_t record) const {
  Key key;
  for (std::size_t part = 0; part < per_record_; ++part) {
    const auto& example = examples_[record * per_record_ + part];
    for (std::size_t i = 0; i < example.ids.size(); ++i)
      key.emplace_back(example.ids[i], example.learnt[i]);
    key.emplace_back(-1, false);
  }
  return key;
}

Dataset Dataset::of(std::vector<Example> examples, bool preferences) {
  Dataset dataset;
  dataset.per_record_ = preferences ? 2 : 1;
  CHECK(examples.size() % dataset.per_record_ == 0);
  dataset.add(std::move(examples));
  return dataset;
}

absl::StatusOr<Dataset> Dataset::read(std::string_view text, const ExampleEncoder& encoder,
                                      const DataOptions& options) {
  if (text.size() > kDataBytesMax) {
    return base::invalid_argument(
        fmt::format("the file has {} bytes, over the limit of {}", text.size(), kDataBytesMax));
  }
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    return base::invalid_argument("line 1: it begins with a byte order mark: save it without one");
  Dataset dataset;
  dataset.per_record_ = options.preferences ? 2 : 1;
  Complaints complaints;
  std::set<Key> seen;
  auto& report = dataset.report_;
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    auto record = read_line(line, encoder, options, report);
    if (!record.ok()) {
      complaints.add(number, record.status());
      continue;
    }
    dataset.add(*std::move(record));
    if (!seen.insert(dataset.key(static_cast<std::size_t>(report.examples) - 1)).second)
      ++report.duplicates;
    if (dataset.examples_.size() > kExamplesMax)
      return base::invalid_argument(fmt::format("over {} examples", kExamplesMax));
  }
  RETURN_IF_ERROR(complaints.status());
  if (dataset.examples_.empty()) return base::invalid_argument("the file has no examples");
  return dataset;
}

std::int64_t Dataset::shared_with(const Dataset& other) const {
  std::set<Key> ours;
  for (std::size_t i = 0; i < examples_.size() / per_record_; ++i) ours.insert(key(i));
  std::int64_t count = 0;
  for (std::size_t i = 0; i < other.examples_.size() / other.per_record_; ++i)
    count += ours.contains(other.key(i)) ? 1 : 0;
  return count;
}

std::uint64_t Dataset::fingerprint() const {
  std::uint64_t hash = 14695981039346656037ull;
  const auto add = [&](std::uint64_t number) { hash = (hash ^ number) * 1099511628211ull; };
  for (const auto& example : examples_) {
    add(example.ids.size());
    for (std::size_t i = 0; i < example.ids.size(); ++i) {
      add(static_cast<std::uint64_t>(example.ids[i]));
      add(example.learnt[i] ? 1 : 0);
    }
  }
  return hash;
}

Batch batch_of(const std::vector<Example>& examples, const std::vector<std::size_t>& chosen) {
  Batch batch;
  for (const auto index : chosen) {
    const auto& example = examples[index];
    const auto tokens = static_cast<std::int64_t>(example.ids.size()) - 1;
    batch.documents.push_back({batch.tokens(), tokens});
    batch.ids.insert(batch.ids.end(), example.ids.begin(), example.ids.end() - 1);
    batch.targets.insert(batch.targets.end(), example.ids.begin() + 1, example.ids.end());
    for (std::size_t i = 1; i < example.learnt.size(); ++i)
      batch.weights.push_back(example.learnt[i] ? 1.0f : 0.0f);
  }
  return batch;
}

}  // namespace plinth::train
