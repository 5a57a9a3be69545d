#include "governance/content/pii_detector.h"

#include <string>

#include "governance/content/pii_patterns.h"

namespace plinth::governance {

namespace {

class PiiRun : public DetectorRun {
 public:
  explicit PiiRun(bool holds) : holds_(holds) {}

  void push(std::string_view text, bool last, std::vector<Finding>& found) override {
    text_ += text;
    while (at_ < text_.size()) {
      PiiReader reader(text_);
      const auto match = match_pii(reader, at_);
      if (reader.past_end() && !last) break;
      if (match.has_value()) {
        const std::size_t begin = base_ + at_;
        found.push_back(
            {{.kind = FindingKind::pii, .pii = match->type}, begin, begin + match->bytes, {}});
      }
      at_ += match.has_value() ? match->bytes : 1;
    }
    // The character before decides whether a word begins.
    if (at_ > 1) {
      text_.erase(0, at_ - 1);
      base_ += at_ - 1;
      at_ = 1;
    }
  }

  std::size_t undecided() const override { return base_ + (holds_ ? at_ : text_.size()); }

 private:
  const bool holds_;
  std::string text_;      // from the character before the undecided ones on
  std::size_t base_ = 0;  // bytes of the text before text_
  std::size_t at_ = 0;    // of text_: where the next span may begin
};

class PiiDetector : public ContentDetector {
 public:
  explicit PiiDetector(bool holds) : holds_(holds) {}
  std::unique_ptr<DetectorRun> start() const override { return std::make_unique<PiiRun>(holds_); }

 private:
  const bool holds_;
};

}  // namespace

std::shared_ptr<const ContentDetector> make_pii_detector(bool holds) {
  return std::make_shared<PiiDetector>(holds);
}

}  // namespace plinth::governance
