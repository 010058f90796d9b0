// The functions that nvinfer looks for in a parser library, restated; see nvdsinfer.h.
#ifndef DOCKYARD_NVDSINFER_CUSTOM_IMPL_H
#define DOCKYARD_NVDSINFER_CUSTOM_IMPL_H

#include <string>
#include <vector>

#include "nvdsinfer.h"

typedef NvDsInferObjectDetectionInfo NvDsInferParseObjectInfo;

/// What nvinfer's configuration file says of a detector's classes.
struct NvDsInferParseDetectionParams {
    unsigned int numClassesConfigured;
    std::vector<float> perClassPreclusterThreshold;
    std::vector<float> perClassPostclusterThreshold;
    std::vector<float>& perClassThreshold = perClassPreclusterThreshold;
};

typedef bool (*NvDsInferParseCustomFunc)(std::vector<NvDsInferLayerInfo> const& layers,
                                         NvDsInferNetworkInfo const& network,
                                         NvDsInferParseDetectionParams const& params,
                                         std::vector<NvDsInferObjectDetectionInfo>& objects);

// The SDK spells it so.
typedef bool (*NvDsInferClassiferParseCustomFunc)(std::vector<NvDsInferLayerInfo> const& layers,
                                                  NvDsInferNetworkInfo const& network, float threshold,
                                                  std::vector<NvDsInferAttribute>& attributes,
                                                  std::string& description);

#endif
