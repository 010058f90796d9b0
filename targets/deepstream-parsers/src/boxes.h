// Boxes: x_min, y_min, x_max, y_max in pixels of the network's input.
#pragma once

namespace dockyard {

struct Box {
    double x0;
    double y0;
    double x1;
    double y1;
};

bool is_finite(const Box& box);

/// Tells whether the intersection of two boxes is more than a share of their union.
bool overlaps(const Box& a, const Box& b, double limit);

} // namespace dockyard
