#pragma once

#include <cstddef>
#include <string>

#include "reading.h"

namespace dockyard {

const std::size_t MOST_LABEL_BYTES = 127; ///< nvinfer cuts off what is longer

/// Returns a reading as the one label that it travels in, `dy1|TEXT|COUNTRY|CONFIDENCE`.
///
/// TEXT and COUNTRY are encoded by `label_encoded`. COUNTRY is `-` where the network has none, and one that
/// is called - is %2D. CONFIDENCE has six decimals. What would be cut off is `dy1!too long` instead.
std::string label_of(const Reading& reading);

} // namespace dockyard
