#pragma once

#include <string>

#include "outputs.h"

namespace dockyard {

/// Returns the networks of an outputs.txt, which README.md describes.
/// Throws Refused with the line and what is wrong with it.
Networks networks_of(const std::string& text);

} // namespace dockyard
