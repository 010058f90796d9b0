#include "parsers.h"

#include <cstring>
#include <exception>
#include <new>
#include <type_traits>

#include "complaints.h"
#include "loaded_outputs.h"
#include "parsing.h"

static_assert(std::is_same<decltype(&NvDsInferParseCustomDetector), NvDsInferParseCustomFunc>::value,
              "nvinfer calls a detector's parser with other arguments");
static_assert(std::is_same<decltype(&NvDsInferParseCustomReader), NvDsInferClassiferParseCustomFunc>::value,
              "nvinfer calls a classifier's parser with other arguments");

namespace {

/// Does the work of a function that nvinfer calls: what is thrown becomes a line and false.
template <typename Work>
bool succeeds(const char* function, const Work& work) noexcept {
    try {
        work();
        return true;
    } catch (const std::exception& problem) {
        try {
            dockyard::complain(std::string(function) + ": " + problem.what());
        } catch (const std::exception&) {
            dockyard::complain("no memory");
        }
        return false;
    }
}

/// Adds an attribute and its description, both or neither.
void attach(const std::string& label, float confidence, std::vector<NvDsInferAttribute>& attributes,
            std::string& description) {
    attributes.reserve(attributes.size() + 1);
    std::string described = label;
    NvDsInferAttribute attribute{};
    attribute.attributeConfidence = confidence;
    attribute.attributeLabel = strdup(label.c_str()); // nvinfer frees it
    if (attribute.attributeLabel == nullptr) {
        throw std::bad_alloc();
    }
    attributes.push_back(attribute);
    description.swap(described); // nvinfer attaches nothing without it
}

} // namespace

extern "C" bool NvDsInferParseCustomDetector(std::vector<NvDsInferLayerInfo> const& layers,
                                             NvDsInferNetworkInfo const& network,
                                             NvDsInferParseDetectionParams const& params,
                                             std::vector<NvDsInferObjectDetectionInfo>& objects) {
    return succeeds("NvDsInferParseCustomDetector", [&] {
        const dockyard::Objects found =
            dockyard::detect(dockyard::loaded_networks(), layers, network, params);
        objects.insert(objects.end(), found.begin(), found.end());
    });
}

extern "C" bool NvDsInferParseCustomReader(std::vector<NvDsInferLayerInfo> const& layers,
                                           NvDsInferNetworkInfo const& /*network*/, float threshold,
                                           std::vector<NvDsInferAttribute>& attributes,
                                           std::string& description) {
    return succeeds("NvDsInferParseCustomReader", [&] {
        const dockyard::Attached found = dockyard::read(dockyard::loaded_networks(), layers, threshold);
        if (found.is_sure) {
            attach(found.label, found.confidence, attributes, description);
        }
    });
}
