// Finds what identifies a person: e-mail addresses, phone and card numbers, IBANs, US social
// security numbers, IPv4 addresses. Looks at the text as it was written, since what is to be
// redacted has been disclosed, not disguised; names and postal addresses have no shape.
#pragma once

#include <memory>

#include "governance/content_detector.h"

namespace plinth::governance {

// Spans do not overlap and come in order. `holds`: text that could become one must be held back.
std::shared_ptr<const ContentDetector> make_pii_detector(bool holds);

}  // namespace plinth::governance
