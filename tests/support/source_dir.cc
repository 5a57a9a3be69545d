#include "tests/support/source_dir.h"

namespace plinth {

std::string source_dir() { return PLINTH_SOURCE_DIR; }

}  // namespace plinth
