#include "apps/serve/plot_files.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "apps/serve/plot.h"
#include "base/file.h"

namespace plinth::serve {

namespace {

constexpr std::size_t kCurvePoints = 500;
constexpr double kEndOverP99 = 1.2;
constexpr char kConverter[] = "rsvg-convert";

// A curve in milliseconds, without the few values far out that would squeeze all others.
std::vector<std::pair<double, double>> curve(const std::vector<double>& seconds, double end_s) {
  std::vector<std::pair<double, double>> points;
  for (const auto& [value, share] : distribution(seconds, kCurvePoints)) {
    if (value <= end_s) points.emplace_back(value * 1e3, share);
  }
  return points;
}

Plot distributions(const std::string& title, const std::vector<std::pair<double, Report>>& by_rate,
                   std::vector<double> Report::*values) {
  Plot plot{title, "milliseconds", "share at or below", {}};
  double end_s = 0;
  for (const auto& [rate, report] : by_rate) {
    end_s = std::max(end_s, kEndOverP99 * percentiles(report.*values).p99);
  }
  for (const auto& [rate, report] : by_rate) {
    plot.series.push_back(
        {fmt::format("{:g} conversations/s", rate), curve(report.*values, end_s)});
  }
  return plot;
}

Plot goodput(const std::vector<std::pair<double, Report>>& by_rate) {
  Plot plot{"Goodput", "conversations a second", "turns a second", {{"good", {}}, {"all", {}}}};
  for (const auto& [rate, report] : by_rate) {
    plot.series[0].points.emplace_back(rate, report.good_per_s());
    plot.series[1].points.emplace_back(rate, report.turns / report.wall_s);
  }
  return plot;
}

// NotFound where the converter is not installed.
absl::Status convert(const std::string& svg, const std::string& png) {
  std::vector<std::string> words{kConverter, "--output", png, svg};
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, kConverter, nullptr, nullptr, arguments.data(), environ);
  if (error == ENOENT) return base::not_found(fmt::format("{} is not installed", kConverter));
  if (error != 0) return base::errno_status(error, kConverter);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return base::unavailable(fmt::format("{} could not make {}", kConverter, png));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status write_plots(const std::string& folder,
                         const std::vector<std::pair<double, Report>>& by_rate,
                         std::vector<std::string>& notes) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return base::errno_status(error.value(), folder);
  std::vector<std::pair<std::string, Plot>> plots{
      {"first_token", distributions("Time to first token", by_rate, &Report::first_token_s)},
      {"between_tokens", distributions("Time between tokens", by_rate, &Report::between_tokens_s)}};
  if (by_rate.size() > 1) plots.emplace_back("goodput", goodput(by_rate));
  for (const auto& [name, plot] : plots) {
    const auto svg = fmt::format("{}/{}.svg", folder, name);
    RETURN_IF_ERROR(base::write_file_atomic(svg, to_svg(plot)));
    const auto converted = convert(svg, fmt::format("{}/{}.png", folder, name));
    if (absl::IsNotFound(converted)) {
      notes = {std::string(base::message(converted)) +
               " (package librsvg2-bin): the plots are SVG alone"};
    } else {
      RETURN_IF_ERROR(converted);
    }
  }
  return absl::OkStatus();
}

}  // namespace plinth::serve
