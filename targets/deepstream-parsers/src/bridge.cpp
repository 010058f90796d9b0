#include "bridge.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <limits>

#include "label.h"
#include "outputs_text.h"
#include "parsing.h"
#include "refused.h"

struct DockyardNetworks {
    dockyard::Networks networks;
};

namespace {

using dockyard::Refused;

const std::size_t BYTES_OF_TYPE[] = {4, 2, 1, 4, 8, 1}; ///< in the order of NvDsInferDataType
const std::size_t TYPES = sizeof BYTES_OF_TYPE / sizeof *BYTES_OF_TYPE;
const std::size_t MOST_LAYERS = 4096;

static_assert(sizeof(DockyardReading::label) == dockyard::MOST_LABEL_BYTES + 1, "a label and its zero byte");
static_assert(DOCKYARD_MOST_AXES == NVDSINFER_MAX_DIMS, "as many axes as nvinfer's");

/// Copies a text with a zero byte at its end, cut where there is no room.
template <std::size_t Room>
void copy_text(char (&to)[Room], const char* text) noexcept {
    const std::size_t size = std::min(std::strlen(text), Room - 1);
    std::memcpy(to, text, size);
    to[size] = '\0';
}

/// Returns a layer as nvinfer would give it. Throws Refused where its bytes are too few for its shape.
NvDsInferLayerInfo layer_of(const DockyardLayer& given) {
    if (given.name == nullptr || given.type >= TYPES || given.axes > DOCKYARD_MOST_AXES) {
        throw Refused("a layer has no name, a type that is none, or too many axes");
    }
    NvDsInferLayerInfo layer{};
    std::size_t size = 1;
    for (uint32_t i = 0; i < given.axes; ++i) {
        layer.inferDims.d[i] = given.shape[i];
        size *= given.shape[i];
        if (size > std::numeric_limits<uint32_t>::max()) {
            throw Refused("the layer '" + std::string(given.name) + "' is too large");
        }
    }
    if (given.bytes < size * BYTES_OF_TYPE[given.type]) {
        throw Refused("the layer '" + std::string(given.name) + "' has fewer bytes than its shape needs");
    }
    // Older SDKs know fewer types; the parsers ask only whether it is one of the first two.
    layer.dataType = given.type == 0 ? FLOAT : given.type == 1 ? HALF : INT8;
    layer.inferDims.numDims = given.axes;
    layer.inferDims.numElements = static_cast<unsigned>(size);
    layer.layerName = given.name;
    layer.buffer = const_cast<void*>(given.data); // nvinfer's structure has no const; nothing is written
    return layer;
}

dockyard::Layers layers_of(const DockyardLayer* layers, uint64_t count) {
    if (count > MOST_LAYERS || (layers == nullptr && count > 0)) {
        throw Refused("there are no layers, or too many");
    }
    dockyard::Layers found;
    for (uint64_t i = 0; i < count; ++i) {
        found.push_back(layer_of(layers[i]));
    }
    return found;
}

/// Returns what the work returns; -1, and why in `error`, where it throws.
template <typename Work>
int32_t guarded(DockyardError* error, const Work& work) noexcept {
    try {
        return work();
    } catch (const std::exception& problem) {
        copy_text(error->text, problem.what());
        return -1;
    }
}

DockyardBox box_of(const NvDsInferObjectDetectionInfo& object) {
    return {object.classId, object.left, object.top, object.width, object.height, object.detectionConfidence};
}

} // namespace

uint32_t dockyard_bridge_version(void) {
    return DOCKYARD_BRIDGE_VERSION;
}

DockyardNetworks* dockyard_open(const char* text, uint64_t bytes, DockyardError* error) {
    DockyardNetworks* opened = nullptr;
    guarded(error, [&] {
        opened = new DockyardNetworks{dockyard::networks_of(std::string(text, bytes))};
        return 0;
    });
    return opened;
}

void dockyard_close(DockyardNetworks* networks) {
    delete networks;
}

int32_t dockyard_detect(const DockyardNetworks* networks, const DockyardLayer* layers, uint64_t count,
                        uint32_t width, uint32_t height, float threshold, DockyardBox* boxes, uint64_t room,
                        DockyardError* error) {
    return guarded(error, [&] {
        NvDsInferParseDetectionParams params{};
        params.numClassesConfigured = 1;
        params.perClassPreclusterThreshold = {threshold};
        const NvDsInferNetworkInfo input = {width, height, 0};
        const dockyard::Objects found =
            dockyard::detect(networks->networks, layers_of(layers, count), input, params);
        if (found.size() > room) {
            throw Refused("there is no room for the boxes");
        }
        std::transform(found.begin(), found.end(), boxes, box_of);
        return static_cast<int32_t>(found.size());
    });
}

int32_t dockyard_read(const DockyardNetworks* networks, const DockyardLayer* layers, uint64_t count,
                      float threshold, DockyardReading* reading, DockyardError* error) {
    return guarded(error, [&] {
        const dockyard::Attached found =
            dockyard::read(networks->networks, layers_of(layers, count), threshold);
        copy_text(reading->label, found.label.c_str());
        reading->confidence = found.confidence;
        reading->is_sure = found.is_sure ? 1 : 0;
        return 0;
    });
}
