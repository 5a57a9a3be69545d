// The C++ files of the checkout and the room table, as the style checks see them.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace plinth::tools {

struct SourceFile {
  std::filesystem::path path;  // relative to the root
  std::vector<std::string> lines;
};

struct RoomRow {
  int layer = 0;
  std::set<std::string> may_include;
};

// *.h and *.cc under src, apps, tests, tools and bench, sorted.
std::vector<SourceFile> read_sources(const std::filesystem::path& root);
// src/ROOMS by room name.
std::map<std::string, RoomRow> read_rooms(const std::filesystem::path& root);

}  // namespace plinth::tools
