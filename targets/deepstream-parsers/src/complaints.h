#pragma once

#include <string>

namespace dockyard {

/// Writes a line to standard error, each reason once: what is wrong with one frame is so with every frame.
/// After 100 reasons nothing more is said. Any thread may call.
void complain(const std::string& reason) noexcept;

} // namespace dockyard
