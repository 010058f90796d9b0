// The functions that nvinfer calls: parse-bbox-func-name and parse-classifier-func-name name them.
#pragma once

#include "sdk.h"

#define DOCKYARD_EXPORT __attribute__((visibility("default")))

/// Appends a detector's objects in pixels of the network's input, class 0; see src/detection.h.
/// Returns false where the outputs cannot be read, with a line on standard error that says why.
extern "C" DOCKYARD_EXPORT bool
NvDsInferParseCustomDetector(std::vector<NvDsInferLayerInfo> const& layers,
                             NvDsInferNetworkInfo const& network, NvDsInferParseDetectionParams const& params,
                             std::vector<NvDsInferObjectDetectionInfo>& objects);

/// Appends what was read of an object as one attribute whose label, which is also the description, is that of
/// src/label.h; below `threshold`, nothing. Returns false as above.
extern "C" DOCKYARD_EXPORT bool NvDsInferParseCustomReader(std::vector<NvDsInferLayerInfo> const& layers,
                                                           NvDsInferNetworkInfo const& network,
                                                           float threshold,
                                                           std::vector<NvDsInferAttribute>& attributes,
                                                           std::string& description);
