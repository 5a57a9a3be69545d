// Style as a test: tidy ROOT. Lines over 100 columns, leftover notes, commented-out code, banned
// calls with their replacement, files over 800 lines and functions over 70 unless tidy_allow.txt
// lists them (that list may only shrink), and relative links of Markdown files that lead nowhere.
#include <fstream>
#include <iostream>
#include <regex>

#include "source_tree.h"

namespace {

namespace fs = std::filesystem;
using plinth::tools::SourceFile;

constexpr size_t kColumnsMax = 100;
constexpr size_t kFileLinesMax = 800;
constexpr size_t kFunctionLinesMax = 70;

struct Ban {
  const char* pattern;
  const char* instead;
  const char* allowed_prefix;  // a path prefix where it may stand, or ""
};

// Checked in src/ alone: programs and tests may print.
const std::vector<Ban> kBans = {
    // unique_ptr<T>(new T(...)) is the way around a private constructor.
    {R"(^(?!.*unique_ptr<).*\bnew [A-Za-z_:]+[({\[<])", "std::make_unique", ""},
    {R"(\bsystem_clock\b)", "base/clock.h", "src/base/"},
    {R"(\b(std::)?f?printf\()", "base/log.h", "src/base/check"},
    {R"(\bstd::(cout|cerr)\b)", "base/log.h", ""},
    {R"(\b(strcpy|strcat|sprintf|gets)\()", "std::string", ""},
    {R"(\bstd::rand\b|[^_a-z]rand\()", "base/random.h", ""},
};

int failures = 0;
void fail(const std::string& where, const std::string& what) {
  std::cerr << where << ": " << what << "\n";
  ++failures;
}

std::string without_literals(const std::string& line) {
  static const std::regex literal(R"("(\\.|[^"\\])*"|'(\\.|[^'\\])+')");
  static const std::regex comment(R"(//.*$)");
  return std::regex_replace(std::regex_replace(line, literal, "\"\""), comment, "");
}

void check_line(const SourceFile& file, size_t i) {
  const std::string where = file.path.string() + ":" + std::to_string(i + 1);
  const std::string& line = file.lines[i];
  static const std::regex marker(std::string("\\b(FIX") + "ME|TO" + "DO|XX" + "X|HA" + "CK)\\b");
  static const std::regex dead_code(R"(^\s*//\s*[A-Za-z_][\w.>:\-\[\]]*(\(.*\))?( = .*)?;\s*$)");
  if (line.size() > kColumnsMax) {
    size_t columns = 0;
    for (char c : line) columns += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    if (columns > kColumnsMax) fail(where, "over 100 columns");
  }
  if (std::regex_search(line, marker)) fail(where, "leftover marker: write an issue or do it");
  if (std::regex_search(line, dead_code)) fail(where, "commented-out code");
  if (file.path.string().rfind("src/", 0) != 0) return;
  const bool test = file.path.string().find("_test.cc") != std::string::npos;
  const std::string code = without_literals(line);
  if (test && std::regex_search(code, std::regex(R"(sleep_(for|until)\(|\busleep\()"))) {
    fail(where, "sleep in a test: pass a clock or wait on a condition");
  }
  if (test) return;
  for (const Ban& ban : kBans) {
    if (ban.allowed_prefix[0] != 0 && file.path.string().rfind(ban.allowed_prefix, 0) == 0)
      continue;
    static std::map<std::string, std::regex> compiled;
    auto [it, fresh] = compiled.try_emplace(ban.pattern);
    if (fresh) it->second = std::regex(ban.pattern);
    if (std::regex_search(code, it->second)) fail(where, std::string("banned; use ") + ban.instead);
  }
}

// A function body opens with "{" at the end of an unindented line and closes with an unindented
// "}".
void check_functions(const SourceFile& file, const std::set<std::string>& allowed) {
  size_t begin = 0;
  bool inside = false;
  static const std::regex not_function(
      R"(^(namespace|struct|class|enum|union|extern|constexpr|const|static const)|)"
      R"(^(inline constexpr|template <)|= \{$)");
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::string& line = file.lines[i];
    if (!inside && !line.empty() && line[0] != ' ' && line.ends_with("{") &&
        !std::regex_search(line, not_function)) {
      inside = true;
      begin = i;
    } else if (inside && line.starts_with("}")) {
      inside = false;
      if (i - begin > kFunctionLinesMax && !allowed.contains(file.path.string())) {
        fail(file.path.string() + ":" + std::to_string(begin + 1), "function over 70 lines");
      }
    }
  }
}

void check_links(const fs::path& root) {
  static const std::regex link(R"(\]\(([^)#: ]+)(#[^)]*)?\))");
  std::vector<fs::path> pages;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  }
  for (const char* top : {"src", "docs", "apps", "tests", "tools", "bench"}) {
    if (!fs::exists(root / top)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      if (entry.path().extension() == ".md") pages.push_back(entry.path());
    }
  }
  for (const auto& page : pages) {
    std::ifstream in(page);
    for (std::string line; std::getline(in, line);) {
      for (std::sregex_iterator it(line.begin(), line.end(), link), end; it != end; ++it) {
        if (!fs::exists(page.parent_path() / (*it)[1].str())) {
          fail(fs::relative(page, root), "link leads nowhere: " + (*it)[1].str());
        }
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const fs::path root = argc > 1 ? argv[1] : ".";
  std::set<std::string> allowed;
  std::ifstream list(root / "tools/tidy_allow.txt");
  for (std::string line; std::getline(list, line);) {
    if (!line.empty() && line[0] != '#') allowed.insert(line);
  }
  for (const auto& path : allowed) {
    if (!fs::exists(root / path)) fail("tools/tidy_allow.txt", path + " no longer exists");
  }
  for (const auto& file : plinth::tools::read_sources(root)) {
    for (size_t i = 0; i < file.lines.size(); ++i) check_line(file, i);
    if (file.lines.size() > kFileLinesMax && !allowed.contains(file.path.string())) {
      fail(file.path, "over 800 lines");
    }
    check_functions(file, allowed);
  }
  check_links(root);
  return failures == 0 ? 0 : 1;
}
