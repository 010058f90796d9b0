// DeepStream's structures, and what must hold of them whoever's headers they come from.
#pragma once

#include <cstddef>

#include "nvdsinfer.h"
#include "nvdsinfer_custom_impl.h"

static_assert(sizeof(NvDsInferDims) == 40, "a shape has 40 bytes");
static_assert(offsetof(NvDsInferDims, d) == 4 && offsetof(NvDsInferDims, numElements) == 36,
              "a shape: its number of axes, eight sizes, the number of elements");
static_assert(sizeof(NvDsInferLayerInfo) == 72, "a layer has 72 bytes");
static_assert(offsetof(NvDsInferLayerInfo, inferDims) == 4 && offsetof(NvDsInferLayerInfo, layerName) == 48 &&
                  offsetof(NvDsInferLayerInfo, buffer) == 56 && offsetof(NvDsInferLayerInfo, isInput) == 64,
              "a layer: type, shape, binding, name, buffer, whether it is an input");
static_assert(sizeof(NvDsInferNetworkInfo) == 12, "a network's sides have 12 bytes");
static_assert(
    sizeof(NvDsInferObjectDetectionInfo) == (DOCKYARD_DEEPSTREAM_MAJOR >= 9 ? 28 : 24),
    "an object has 24 bytes before DeepStream 9.0 and 28 from then on: is DEEPSTREAM_RELEASE right?");
static_assert(offsetof(NvDsInferObjectDetectionInfo, left) == 4 &&
                  offsetof(NvDsInferObjectDetectionInfo, height) == 16 &&
                  offsetof(NvDsInferObjectDetectionInfo, detectionConfidence) == 20,
              "an object: class, left, top, width, height, confidence");
static_assert(sizeof(NvDsInferAttribute) == 24, "an attribute has 24 bytes");
static_assert(offsetof(NvDsInferAttribute, attributeConfidence) == 8 &&
                  offsetof(NvDsInferAttribute, attributeLabel) == 16,
              "an attribute: index, value, confidence, label");
static_assert(sizeof(NvDsInferParseDetectionParams) == 64, "the parameters of a detector have 64 bytes");

namespace dockyard {

using Layers = std::vector<NvDsInferLayerInfo>;
using Objects = std::vector<NvDsInferObjectDetectionInfo>;

} // namespace dockyard
