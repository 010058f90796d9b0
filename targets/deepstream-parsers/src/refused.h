#pragma once

#include <stdexcept>

namespace dockyard {

/// What was given cannot be read; the message says why, in a sentence without a full stop.
class Refused : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

} // namespace dockyard
