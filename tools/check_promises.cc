// Holds docs/security.md to the tests that it names: check_promises ROOT. Fails where a test does
// not exist (`Suite.Test` in a *_test.cc, `suite::test` in tests/suite), and where a row of its
// table names none.
#include <fstream>
#include <iostream>
#include <regex>
#include <sstream>

#include "source_tree.h"

namespace {

namespace fs = std::filesystem;

constexpr const char* kPage = "docs/security.md";

std::set<std::string> unit_tests(const fs::path& root) {
  static const std::regex declaration(R"(^TEST(?:_F|_P)?\((\w+), (\w+)\))");
  std::set<std::string> names;
  for (const auto& file : plinth::tools::read_sources(root)) {
    for (const auto& line : file.lines) {
      std::smatch found;
      if (std::regex_search(line, found, declaration))
        names.insert(found.str(1) + "." + found.str(2));
    }
  }
  return names;
}

// Functions of the scripts of tests/suite.
std::set<std::string> script_tests(const fs::path& root, const std::string& suite) {
  static const std::regex declaration(R"(^(?:def |  async )(\w+)\()");
  std::set<std::string> names;
  if (!fs::is_directory(root / "tests" / suite)) return names;
  for (const auto& entry : fs::directory_iterator(root / "tests" / suite)) {
    const auto extension = entry.path().extension();
    if (extension != ".py" && extension != ".mjs") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      std::smatch found;
      if (std::regex_search(line, found, declaration)) names.insert(found.str(1));
    }
  }
  return names;
}

bool exists(const fs::path& root, const std::set<std::string>& units, const std::string& name) {
  const auto colons = name.find("::");
  if (colons == std::string::npos) return units.contains(name);
  return script_tests(root, name.substr(0, colons)).contains(name.substr(colons + 2));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: check_promises ROOT\n";
    return 2;
  }
  const fs::path root = argv[1];
  const auto units = unit_tests(root);
  static const std::regex test(R"(`([\w]+(?:\.|::)\w+)`)");
  std::ifstream in(root / kPage);
  int failures = 0, promises = 0;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("| ") || line.starts_with("| **") || line.starts_with("| promise"))
      continue;
    ++promises;
    const std::string cells = line.substr(line.find(" | ") + 3);
    auto name = std::sregex_iterator(cells.begin(), cells.end(), test);
    if (name == std::sregex_iterator()) {
      std::cerr << kPage << ": a promise without a test: " << line << "\n";
      ++failures;
    }
    for (; name != std::sregex_iterator(); ++name) {
      if (exists(root, units, name->str(1))) continue;
      std::cerr << kPage << ": no such test: " << name->str(1) << "\n";
      ++failures;
    }
  }
  if (promises == 0) std::cerr << kPage << ": missing or empty\n";
  return failures > 0 || promises == 0 ? 1 : 0;
}
