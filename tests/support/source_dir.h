#pragma once

#include <string>

namespace plinth {

// The folder of the source tree that this program was built from, where tests find their golden
// files. A function in one unit, not a definition in all: so a compiler cache knows the tests of
// one checkout in another, too.
std::string source_dir();

}  // namespace plinth
