#pragma once

#include "outputs.h"

namespace dockyard {

/// Returns the networks of outputs.txt beside this library, or of the file that DOCKYARD_OUTPUTS names.
/// It is read once, whichever thread comes first. Throws Refused, every time, where it cannot be read.
const Networks& loaded_networks();

} // namespace dockyard
