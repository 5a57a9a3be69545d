// Holds the tree to src/ROOMS: check_rooms ROOT. Fails on an include that is not an edge of the
// table, an edge that points to the same or a higher layer, a listed edge that nothing uses, a
// private subfolder crossed, a room on disk but not in the table or the reverse, a room without a
// README of 20 lines or fewer, a namespace that is not the room's, and a row of the table in
// docs/ARCHITECTURE.md ("| 2 | model | tensor, base | ... |") that says otherwise or is missing.
#include <fstream>
#include <iostream>
#include <regex>
#include <sstream>

#include "source_tree.h"

namespace {

namespace fs = std::filesystem;
using plinth::tools::RoomRow;

int failures = 0;
void fail(const std::string& where, const std::string& what) {
  std::cerr << where << ": " << what << "\n";
  ++failures;
}

void check_folders(const fs::path& root, const std::map<std::string, RoomRow>& rooms) {
  for (const auto& entry : fs::directory_iterator(root / "src")) {
    if (entry.is_directory() && !rooms.contains(entry.path().filename())) {
      fail(entry.path(), "room is not in src/ROOMS");
    }
  }
  for (const auto& [name, row] : rooms) {
    const fs::path readme = root / "src" / name / "README.md";
    std::ifstream in(readme);
    int lines = 0;
    for (std::string line; std::getline(in, line);) ++lines;
    if (lines == 0) fail(readme, "missing or empty");
    if (lines > 20) fail(readme, "over 20 lines");
    for (const auto& dep : row.may_include) {
      if (!rooms.contains(dep))
        fail("src/ROOMS", name + " lists unknown room " + dep);
      else if (rooms.at(dep).layer >= row.layer)
        fail("src/ROOMS", name + " -> " + dep + " does not go down");
    }
  }
}

// The cells of a Markdown row, trimmed.
std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) {
    const auto begin = cell.find_first_not_of(' ');
    out.push_back(begin == std::string::npos
                      ? ""
                      : cell.substr(begin, cell.find_last_not_of(' ') - begin + 1));
  }
  return out;
}

void check_architecture(const fs::path& root, const std::map<std::string, RoomRow>& rooms) {
  const std::string page = "docs/ARCHITECTURE.md";
  std::ifstream in(root / page);
  std::set<std::string> seen;
  for (std::string line; std::getline(in, line);) {
    if (line.size() < 3 || line[0] != '|' || line[2] < '0' || line[2] > '9') continue;
    const auto row = cells(line);
    const std::string name = row.size() > 2 ? row[1] : line;
    if (!rooms.contains(name)) {
      fail(page, "no room of src/ROOMS: " + name);
      continue;
    }
    std::set<std::string> deps;
    std::istringstream words(row[2]);
    for (std::string word; words >> word;) {
      if (word.ends_with(',')) word.pop_back();
      if (word != "-") deps.insert(word);
    }
    if (row[0] != std::to_string(rooms.at(name).layer) || deps != rooms.at(name).may_include)
      fail(page, "the row of " + name + " differs from src/ROOMS");
    seen.insert(name);
  }
  for (const auto& [name, row] : rooms) {
    if (!seen.contains(name)) fail(page, "lacks the room " + name);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const fs::path root = argc > 1 ? argv[1] : ".";
  const auto rooms = plinth::tools::read_rooms(root);
  check_folders(root, rooms);
  check_architecture(root, rooms);
  std::map<std::string, std::set<std::string>> used;
  const std::regex include(R"re(^\s*#include "([a-z_]+)/(.*)")re");
  for (const auto& file : plinth::tools::read_sources(root)) {
    const std::string top = *file.path.begin();
    const std::string room = top == "src" ? std::next(file.path.begin())->string() : "";
    bool own_namespace = room.empty() || file.path.extension() == ".cc";
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string where = file.path.string() + ":" + std::to_string(i + 1);
      if (file.lines[i].find("plinth::" + room) != std::string::npos ||
          file.lines[i].starts_with("#define"))
        own_namespace = true;
      std::smatch match;
      if (!std::regex_search(file.lines[i], match, include)) continue;
      const std::string target = match[1];
      if (!rooms.contains(target) || target == room) continue;
      if (match[2].str().find('/') != std::string::npos) {
        fail(where, "crosses into a private subfolder of " + target);
      }
      if (room.empty()) continue;
      if (!rooms.contains(room) || !rooms.at(room).may_include.contains(target)) {
        fail(where, room + " may not include " + target);
      }
      used[room].insert(target);
    }
    if (!own_namespace) fail(file.path, "namespace is not plinth::" + room);
  }
  for (const auto& [name, row] : rooms) {
    for (const auto& dep : row.may_include) {
      if (!used[name].contains(dep))
        fail("src/ROOMS", name + " lists " + dep + ", which it does not include");
    }
  }
  return failures == 0 ? 0 : 1;
}
