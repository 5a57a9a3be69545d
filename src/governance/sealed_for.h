// Where something sealed belongs.
#pragma once

#include <string>

namespace plinth::governance {

// What is moved to another place does not open there.
struct SealedFor {
  std::string organization;  // "" = the installation
  std::string project;       // "" = the organization itself
  std::string kind;          // "file", "data_key", "secret"
  std::string id;
};

}  // namespace plinth::governance
