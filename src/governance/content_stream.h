// A completion under a content filter while it streams: what may be sent now, and what must wait
// because it could still become part of something blocked or redacted.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "governance/content_filter.h"

namespace plinth::governance {

// One choice of one completion. Not thread-safe.
//
// However the text is cut into pieces, what push() and finish() return in all is the same, no byte
// of a blocked span is in it, and redacted spans stand as their labels. At most kHoldBytesMax bytes
// wait, of ordinary prose one or two words. With ContentMode::asynchronous_filter only redaction
// holds back, and a block may come after its text.
class ContentStream {
 public:
  explicit ContentStream(std::shared_ptr<const ContentFilter> filter);
  ~ContentStream();

  // More of the completion; what may be sent of it, in whole characters. Once blocked, nothing.
  // A filter that looks for nothing gives `text` back as it is.
  std::string push(std::string text);
  // The completion has ended: the rest, which is nothing where blocked.
  std::string finish();

  // Where true the completion ends here, with finish_reason content_filter.
  bool blocked() const { return verdict_.blocked; }
  // Of the text up to the block. Detectors that do not block may have seen a little further.
  const ContentVerdict& verdict() const { return verdict_; }
  // Bytes of the text whose verdict is final, for content_filter_offsets.
  std::size_t checked_bytes() const;
  std::size_t held_bytes() const;

 private:
  struct State;
  std::string advance(bool last);

  std::shared_ptr<const ContentFilter> filter_;
  ContentVerdict verdict_;
  std::unique_ptr<State> state_;  // null where nothing is looked for
};

}  // namespace plinth::governance
