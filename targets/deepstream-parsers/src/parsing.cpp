#include "parsing.h"

#include <algorithm>

#include "detection.h"
#include "label.h"
#include "reading.h"
#include "refused.h"
#include "tensor.h"

namespace dockyard {
namespace {

bool has_tensors(const Layers& layers, const Network& network) {
    const std::vector<std::string> names = tensors_of(network);
    const auto is_there = [&layers](const std::string& name) { return find_layer(layers, name) != nullptr; };
    return std::all_of(names.begin(), names.end(), is_there);
}

std::string names_of(const Layers& layers) {
    std::string names;
    for (const NvDsInferLayerInfo& layer : layers) {
        if (layer.isInput == 0 && layer.layerName != nullptr) {
            names += (names.empty() ? "" : ", ") + std::string(layer.layerName);
        }
    }
    return names.empty() ? "none" : names;
}

/// Returns the one network of a kind whose tensors are all among the layers.
const Network& network_for(const Networks& networks, const Layers& layers, bool is_detector) {
    const Network* found = nullptr;
    const std::string kind = is_detector ? "detector" : "text recognizer or classifier";
    for (const Network& network : networks) {
        if ((network.task == Task::detection) != is_detector || !has_tensors(layers, network)) {
            continue;
        }
        if (found != nullptr) {
            throw Refused("the outputs are those of two networks, '" + found->name + "' and '" +
                          network.name + "'");
        }
        found = &network;
    }
    if (found == nullptr) {
        throw Refused("no " + kind + " has all its tensors among the outputs (" + names_of(layers) + ")");
    }
    return *found;
}

} // namespace

Objects detect(const Networks& networks, const Layers& layers, const NvDsInferNetworkInfo& input,
               const NvDsInferParseDetectionParams& params) {
    return found_objects(network_for(networks, layers, true).detection, layers, input, params);
}

Attached read(const Networks& networks, const Layers& layers, float threshold) {
    const Reading reading = reading_of(network_for(networks, layers, false), layers);
    Attached attached;
    attached.label = label_of(reading);
    attached.confidence = static_cast<float>(reading.confidence);
    attached.is_sure = !(reading.confidence < static_cast<double>(threshold));
    return attached;
}

} // namespace dockyard
