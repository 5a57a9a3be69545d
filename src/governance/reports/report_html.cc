#include <fmt/format.h>

#include "base/html.h"
#include "governance/report_table.h"

namespace plinth::governance {

namespace {

constexpr char kStyle[] =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}"
    "table{border-collapse:collapse;margin:.5rem 0}"
    "th,td{padding:.3rem .8rem;text-align:right;border-bottom:1px solid #ddd;"
    "font-variant-numeric:tabular-nums}"
    "th:first-child,td:first-child{text-align:left}"
    "p{color:#555;margin:.2rem 0;font-size:.9rem}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}"
    "th,td{border-color:#444}p{color:#aaa}}";

std::string cells(const std::vector<std::string>& texts, std::string_view tag) {
  std::string row = "<tr>";
  for (const auto& text : texts) row += fmt::format("<{0}>{1}</{0}>", tag, base::escape_html(text));
  return row + "</tr>\n";
}

}  // namespace

std::string to_html(std::string_view title, const std::vector<ReportTable>& tables) {
  // No script and nothing from elsewhere: the policy says so to the browser.
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src"
      " 'unsafe-inline'\">\n<title>{0}</title>\n<style>{1}</style></head>\n<body><h1>{0}</h1>\n",
      base::escape_html(title), kStyle);
  for (const auto& table : tables) {
    page += fmt::format("<h2>{}</h2>\n<table>\n<thead>{}</thead>\n<tbody>\n",
                        base::escape_html(table.title), cells(table.columns, "th"));
    for (const auto& row : table.rows) page += cells(row, "td");
    page += "</tbody></table>\n";
    for (const auto& note : table.notes) page += "<p>" + base::escape_html(note) + "</p>\n";
  }
  return page + "</body></html>\n";
}

}  // namespace plinth::governance
