// Line plots as SVG, for reports: axes with round steps, a legend, nothing that needs a library.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace plinth::serve {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // by x
};

struct Plot {
  std::string title, x_label, y_label;
  std::vector<Series> series;
};

// A whole SVG document of 720 by 440 pixels. Points that are not finite are left out.
std::string to_svg(const Plot& plot);

// A step for about `count` ticks over `range`: 1, 2 or 5 times a power of ten; range > 0.
double tick_step(double range, int count);

// Share of values at or below each value: the cumulative distribution, of at most `points_max`
// points.
std::vector<std::pair<double, double>> distribution(std::vector<double> values,
                                                    std::size_t points_max);

}  // namespace plinth::serve
