#pragma once

#include "outputs.h"
#include "sdk.h"

namespace dockyard {

/// Returns the objects that a detector found, the surest first, clipped to the network's input.
///
/// They are those of `decode_boxes` in shared/inference/decoding.py: of at most 100 boxes above the minimum,
/// one that overlaps a surer one by an IoU above 0.5 is left out, as is what is not finite; of rows without a
/// score the first counts, with confidence 1. nvinfer therefore clusters nothing (cluster-mode 4), and
/// refuses what lies outside the input: boxes are clipped, and what is then empty is left out.
///
/// Where nvinfer's own threshold of class 0 is higher than the minimum, that one holds.
/// Throws Refused where a layer is not as the outputs say.
Objects found_objects(const Detection& outputs, const Layers& layers, const NvDsInferNetworkInfo& input,
                      const NvDsInferParseDetectionParams& params);

} // namespace dockyard
