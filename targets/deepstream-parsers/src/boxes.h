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

/// Returns the intersection over the union of two boxes; 0 where the union is empty.
double iou(const Box& a, const Box& b);

} // namespace dockyard
