#include "apps/training_report.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include "apps/serve/plot.h"
#include "base/file.h"
#include "base/html.h"

namespace plinth {

namespace {

// Points of a curve: more are narrower than the line.
constexpr std::size_t kPointsMax = 600;
// Of a curve's points, over how many its mean line goes.
constexpr std::size_t kSmoothed = 20;

constexpr char kStyle[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;padding:0 1rem;"
    "color:#1c2733;background:#fff}h1{font-size:1.4rem}table{border-collapse:collapse;width:100%}"
    "td{border-bottom:1px solid #dde3ea;padding:.25rem .5rem;vertical-align:top}"
    "td:first-child{color:#5a6b7d;width:14rem}svg{max-width:100%;height:auto;margin:1rem 0}"
    "code{background:#f0f3f6;padding:.1rem .3rem}";

using Points = std::vector<std::pair<double, double>>;

Points curve(const TrainingReport& report, double ReportedStep::*value) {
  Points points;
  const auto every = report.steps.size() / kPointsMax + 1;
  for (std::size_t i = 0; i < report.steps.size(); i += every) {
    const auto& step = report.steps[i];
    if (std::isfinite(step.*value))
      points.emplace_back(static_cast<double>(step.step), step.*value);
  }
  return points;
}

// Each point with those before it.
Points smoothed(const Points& points) {
  Points means;
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    sum += points[i].second;
    if (i >= kSmoothed) sum -= points[i - kSmoothed].second;
    means.emplace_back(points[i].first, sum / static_cast<double>(std::min(i + 1, kSmoothed)));
  }
  return means;
}

std::string plot(const TrainingReport& report, const std::string& title, const std::string& unit,
                 double ReportedStep::*value, bool smooth) {
  const auto points = curve(report, value);
  if (points.size() < 2) return "";
  serve::Plot drawn{title, "step", unit, {{"each step", points}}};
  if (smooth && points.size() > kSmoothed)
    drawn.series.push_back({fmt::format("mean of {}", kSmoothed), smoothed(points)});
  auto svg = serve::to_svg(drawn);
  // The declaration belongs to a document of its own.
  return svg.substr(svg.find("<svg"));
}

// A cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

}  // namespace

std::string training_page(const TrainingReport& report) {
  const auto title = base::escape_html(report.title);
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>"
      "<style>{}</style></head><body>\n<h1>{}</h1>\n<p>Ended {}.</p>\n<table>\n",
      title, kStyle, title, base::escape_html(report.ended));
  for (const auto& [name, value] : report.facts) {
    page += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", base::escape_html(name),
                        base::escape_html(value));
  }
  page += "</table>\n";
  page += plot(report, "Loss", "nats a token", &ReportedStep::loss, true);
  page += plot(report, "Tokens that were right", "share", &ReportedStep::accuracy, true);
  page += plot(report, "Learning rate", "rate", &ReportedStep::learning_rate, false);
  page +=
      plot(report, "Norm of the gradient", "before clipping", &ReportedStep::gradient_norm, false);
  page += plot(report, "Speed", "tokens a second", &ReportedStep::tokens_per_second, false);
  if (!report.how_to_use.empty()) page += "<h2>Use</h2>\n";
  for (const auto& command : report.how_to_use)
    page += fmt::format("<p><code>{}</code></p>\n", base::escape_html(command));
  return page + "</body></html>\n";
}

std::string model_card(const TrainingReport& report) {
  std::string card = "---\nlibrary_name: plinth\npipeline_tag: text-generation\n";
  if (!report.base.empty()) {
    // A scalar in quotes is any text.
    std::string quoted;
    for (const char c : report.base)
      quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    card += fmt::format("base_model: \"{}\"\n", quoted);
  }
  card += fmt::format("---\n\n# {}\n\nEnded {}. The curves are in `report.html`.\n\n",
                      cell(report.title), report.ended);
  card += "## How it was made\n\n| | |\n|---|---|\n";
  for (const auto& [name, value] : report.facts)
    card += fmt::format("| {} | {} |\n", cell(name), cell(value));
  if (!report.how_to_use.empty()) {
    card += "\n## Use\n\n```\n";
    for (const auto& command : report.how_to_use) card += command + "\n";
    card += "```\n";
  }
  card +=
      "\n## What is not known\n\nIt was tested with nothing but what stands above. It has what its "
      "base and its data have: their errors, their "
      "bias,\nand their licences, which hold for it too. Test it with cases of your own before it "
      "answers anybody.\n";
  return card;
}

std::vector<ReportedStep> steps_of_csv(const std::string& csv) {
  std::vector<ReportedStep> steps;
  const char* at = csv.data();
  const char* const end = at + csv.size();
  while (at < end) {
    const char* line_end = std::find(at, end, '\n');
    ReportedStep step;
    step.tokens_per_second = std::numeric_limits<double>::quiet_NaN();
    auto read = std::from_chars(at, line_end, step.step);
    for (double* value : {&step.loss, &step.accuracy, &step.learning_rate, &step.gradient_norm}) {
      if (read.ec != std::errc{} || read.ptr == line_end || *read.ptr != ',') {
        read.ec = std::errc::invalid_argument;
        break;
      }
      read = std::from_chars(read.ptr + 1, line_end, *value);
    }
    if (read.ec == std::errc{}) steps.push_back(step);
    at = line_end == end ? end : line_end + 1;
  }
  return steps;
}

absl::Status write_training_report(const std::string& folder, const TrainingReport& report) {
  RETURN_IF_ERROR(base::write_file_atomic(folder + "/report.html", training_page(report)));
  return base::write_file_atomic(folder + "/README.md", model_card(report));
}

}  // namespace plinth
