#include "source_tree.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace plinth::tools {

namespace fs = std::filesystem;

std::vector<SourceFile> read_sources(const fs::path& root) {
  std::vector<SourceFile> files;
  for (const char* top : {"src", "apps", "tests", "tools", "bench"}) {
    if (!fs::exists(root / top)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      const auto extension = entry.path().extension();
      if (!entry.is_regular_file() || (extension != ".h" && extension != ".cc")) continue;
      SourceFile file{fs::relative(entry.path(), root), {}};
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) file.lines.push_back(line);
      files.push_back(std::move(file));
    }
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

std::map<std::string, RoomRow> read_rooms(const fs::path& root) {
  std::map<std::string, RoomRow> rooms;
  std::ifstream in(root / "src/ROOMS");
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream cells(line);
    std::string layer, name, deps;
    std::getline(cells, layer, '|');
    std::getline(cells, name, '|');
    std::getline(cells, deps, '|');
    RoomRow row;
    row.layer = std::stoi(layer);
    std::istringstream(name) >> name;
    std::istringstream words(deps);
    for (std::string dep; words >> dep;) {
      if (dep != "-") row.may_include.insert(dep);
    }
    rooms[name] = row;
  }
  return rooms;
}

}  // namespace plinth::tools
