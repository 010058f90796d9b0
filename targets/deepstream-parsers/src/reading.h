#pragma once

#include <string>

#include "outputs.h"
#include "sdk.h"

namespace dockyard {

/// What a network found in the crop of an object: a text, or the name of a class.
struct Reading {
    std::string text;
    bool has_country = false;
    std::string country;
    double confidence = 0; ///< 0 to 1
};

/// Returns what a text recognizer or a classifier says, as `decode_text`, `decode_class` and `confidence_of`
/// in shared/inference/decoding.py do. Throws Refused where a layer is not as the outputs say.
Reading reading_of(const Network& network, const Layers& layers);

} // namespace dockyard
