// What the functions that nvinfer calls do, with the networks given: the bridge and the checks call it too.
#pragma once

#include <string>

#include "outputs.h"
#include "sdk.h"

namespace dockyard {

/// Returns what the detector among the networks found.
/// Throws Refused where not exactly one detector has all its tensors among the layers, or one is not as it
/// should be.
Objects detect(const Networks& networks, const Layers& layers, const NvDsInferNetworkInfo& input,
               const NvDsInferParseDetectionParams& params);

/// What is attached to an object.
struct Attached {
    std::string label;
    float confidence = 0;
    bool is_sure = false; ///< the confidence is not below the threshold: only then anything is attached
};

/// Returns what the text recognizer or classifier among the networks says.
/// Throws Refused as `detect` does.
Attached read(const Networks& networks, const Layers& layers, float threshold);

} // namespace dockyard
