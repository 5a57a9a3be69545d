// A report as people read it: tables with notes that say which rows their numbers come from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plinth::governance {

struct ReportTable {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> notes;  // one for each number that needs an explanation
};

// One page that needs nothing else: for a browser without network, and for mail.
std::string to_html(std::string_view title, const std::vector<ReportTable>& tables);

}  // namespace plinth::governance
