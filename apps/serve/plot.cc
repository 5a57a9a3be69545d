#include "apps/serve/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string_view>

#include "base/html.h"

namespace plinth::serve {

namespace {

constexpr double kWidth = 720, kHeight = 440;
constexpr double kLeft = 70, kRight = 20, kTop = 40, kBottom = 55;
constexpr int kTicks = 6;
// Okabe and Ito's colours, told apart by colour-blind readers too.
constexpr std::array<std::string_view, 6> kColours{"#0072b2", "#d55e00", "#009e73",
                                                   "#cc79a7", "#e69f00", "#56b4e9"};

// XML has no control characters.
std::string escaped(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20) shown += c;
  }
  return base::escape_html(shown);
}

// From 0 to the first tick at or above the largest value.
struct Axis {
  double step = 1, end = 1;

  explicit Axis(double largest) {
    if (!(largest > 0)) return;
    step = tick_step(largest, kTicks);
    end = step * std::ceil(largest / step - 1e-9);
  }
  int ticks() const { return static_cast<int>(std::lround(end / step)); }
};

class Canvas {
 public:
  Canvas(const Axis& x, const Axis& y) : x_(x), y_(y) {}

  double x(double value) const { return kLeft + value / x_.end * (kWidth - kLeft - kRight); }
  double y(double value) const {
    return kHeight - kBottom - value / y_.end * (kHeight - kTop - kBottom);
  }
  void line(double x1, double y1, double x2, double y2, std::string_view colour) {
    fmt::format_to(std::back_inserter(body_),
                   R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}"/>)"
                   "\n",
                   x1, y1, x2, y2, colour);
  }
  void text(double x, double y, std::string_view anchor, std::string_view words,
            std::string_view more = "") {
    fmt::format_to(std::back_inserter(body_),
                   R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}>{}</text>)"
                   "\n",
                   x, y, anchor, more, escaped(words));
  }
  void curve(const Series& series, std::string_view colour) {
    std::string points;
    for (const auto& [px, py] : series.points) {
      if (!std::isfinite(px) || !std::isfinite(py)) continue;
      fmt::format_to(std::back_inserter(points), "{:.1f},{:.1f} ", x(px), y(py));
    }
    fmt::format_to(std::back_inserter(body_),
                   R"(<polyline points="{}" fill="none" stroke="{}" stroke-width="2"/>)"
                   "\n",
                   points, colour);
  }
  const std::string& body() const { return body_; }

 private:
  const Axis& x_;
  const Axis& y_;
  std::string body_;
};

void draw_axes(const Plot& plot, const Axis& x, const Axis& y, Canvas& canvas) {
  for (int i = 0; i <= x.ticks(); ++i) {
    const double at = canvas.x(i * x.step);
    canvas.line(at, kTop, at, kHeight - kBottom, "#dddddd");
    canvas.text(at, kHeight - kBottom + 18, "middle", fmt::format("{:g}", i * x.step));
  }
  for (int i = 0; i <= y.ticks(); ++i) {
    const double at = canvas.y(i * y.step);
    canvas.line(kLeft, at, kWidth - kRight, at, "#dddddd");
    canvas.text(kLeft - 8, at + 4, "end", fmt::format("{:g}", i * y.step));
  }
  canvas.line(kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom, "#333333");
  canvas.line(kLeft, kTop, kLeft, kHeight - kBottom, "#333333");
  canvas.text((kLeft + kWidth - kRight) / 2, kHeight - 14, "middle", plot.x_label);
  const double middle = (kTop + kHeight - kBottom) / 2;
  canvas.text(18, middle, "middle", plot.y_label,
              fmt::format(R"-( transform="rotate(-90 18 {:.1f})")-", middle));
  canvas.text(kWidth / 2, 24, "middle", plot.title, R"( font-size="16")");
}

}  // namespace

double tick_step(double range, int count) {
  const double rough = range / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * power * (1 + 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::vector<std::pair<double, double>> distribution(std::vector<double> values,
                                                    std::size_t points_max) {
  std::sort(values.begin(), values.end());
  std::vector<std::pair<double, double>> points;
  const std::size_t stride = std::max<std::size_t>(1, values.size() / points_max);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % stride != stride - 1 && i + 1 != values.size()) continue;
    points.emplace_back(values[i], static_cast<double>(i + 1) / static_cast<double>(values.size()));
  }
  return points;
}

std::string to_svg(const Plot& plot) {
  double largest_x = 0, largest_y = 0;
  for (const auto& series : plot.series) {
    for (const auto& [x, y] : series.points) {
      if (!std::isfinite(x) || !std::isfinite(y)) continue;
      largest_x = std::max(largest_x, x);
      largest_y = std::max(largest_y, y);
    }
  }
  const Axis x(largest_x), y(largest_y);
  Canvas canvas(x, y);
  draw_axes(plot, x, y, canvas);
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const auto colour = kColours[i % kColours.size()];
    const double at = kHeight - kBottom - 18 * static_cast<double>(plot.series.size() - i) + 4;
    canvas.curve(plot.series[i], colour);
    canvas.line(kWidth - 190, at - 4, kWidth - 166, at - 4, colour);
    canvas.text(kWidth - 160, at, "start", plot.series[i].name);
  }
  return fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0:g}" height="{1:g}" )"
      R"(viewBox="0 0 {0:g} {1:g}" font-family="sans-serif" font-size="12" fill="#222222">)"
      "\n"
      R"(<rect width="{0:g}" height="{1:g}" fill="white"/>)"
      "\n{2}</svg>\n",
      kWidth, kHeight, canvas.body());
}

}  // namespace plinth::serve
