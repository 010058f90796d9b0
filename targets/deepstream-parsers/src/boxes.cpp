#include "boxes.h"

#include <algorithm>
#include <cmath>

namespace dockyard {
namespace {

double area(const Box& box) {
    return std::max(0.0, box.x1 - box.x0) * std::max(0.0, box.y1 - box.y0);
}

} // namespace

bool is_finite(const Box& box) {
    return std::isfinite(box.x0) && std::isfinite(box.y0) && std::isfinite(box.x1) && std::isfinite(box.y1);
}

bool overlaps(const Box& a, const Box& b, double limit) {
    const double width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
    const double height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
    const double intersection = std::max(0.0, width) * std::max(0.0, height);
    return intersection > limit * (area(a) + area(b) - intersection);
}

} // namespace dockyard
