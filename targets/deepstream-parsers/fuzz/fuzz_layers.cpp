// Layers of any type, shape and content, most of them near what a network has, each in a buffer of exactly
// its bytes: through nvinfer's structures, and through the bridge.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "bridge.h"
#include "label.h"
#include "outputs_text.h"
#include "parsing.h"
#include "refused.h"

namespace {

const char* const OUTPUTS =
    "dockyard-outputs 1\n"
    "network a\ntask detection\nbox.tensor box\nbox.form xyxy\nbox.unit relative\nbox.first 0\n"
    "score.tensor score\nscore.minimum 0.4\nobjects.nms_iou 0.3\n"
    "network b\ntask detection\nbox.tensor rows\nbox.form cxcywh\nbox.unit pixels\nbox.first 1\n"
    "score.column 0\nscore.minimum -1e9\n"
    "network c\ntask detection\nbox.tensor one\nbox.form xywh\nbox.unit pixels\nbox.first 0\n"
    "network d\ntask text-recognition\nsymbols.tensor symbols\nsymbols.decoder ctc\n"
    "symbol A\nsymbol %C3%84\ncountry.tensor country\ncountry D\ncountry GB\n"
    "network e\ntask text-recognition\nsymbols.tensor s0\nsymbols.tensor s1\n"
    "symbols.decoder heads\nsymbol A\nsymbol B\n"
    "network f\ntask classification\nclass.tensor class\nclass x\nclass y\nclass z\n";

/// An output that a network of OUTPUTS has, and a shape that fits it.
struct Known {
    const char* name;
    unsigned axes;
    unsigned shape[2];
};

const Known KNOWN[] = {{"box", 2, {3, 4}},     {"score", 1, {3}},   {"rows", 2, {4, 6}}, {"one", 1, {4}},
                       {"symbols", 2, {5, 3}}, {"country", 1, {2}}, {"s0", 2, {1, 3}},   {"s1", 2, {1, 3}},
                       {"class", 1, {3}},      {"another", 1, {1}}};
const std::size_t KNOWN_COUNT = sizeof KNOWN / sizeof *KNOWN;
const std::size_t MOST_ELEMENTS = 1024; ///< of a layer that gets a buffer
const unsigned BYTES_OF_TYPE[] = {4, 2, 1, 4, 8, 1};

void require(bool is_so) {
    if (!is_so) {
        std::abort();
    }
}

/// The fuzzer's bytes, taken from the front; then zeros.
class Bytes {
  public:
    Bytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

    unsigned take() {
        if (left_ == 0) {
            return 0;
        }
        --left_;
        return *data_++;
    }

    bool is_empty() const { return left_ == 0; }

  private:
    const std::uint8_t* data_;
    std::size_t left_;
};

struct Made {
    NvDsInferLayerInfo layer{};
    std::unique_ptr<unsigned char[]> buffer;
    std::size_t bytes = 0;
};

/// Sets a shape: one that fits the output, or any.
void shape_layer(Bytes& bytes, const Known& known, NvDsInferDims& shape) {
    const unsigned choice = bytes.take();
    shape.numDims = known.axes;
    std::copy(known.shape, known.shape + 2, shape.d);
    if (choice % 4 == 1) {
        shape.d[0] = bytes.take() % 32;
    } else if (choice % 4 == 2) {
        shape.numDims = bytes.take() % 11;
        for (unsigned& side : shape.d) {
            const unsigned taken = bytes.take();
            side = taken < 240 ? taken % 8 : taken << (taken % 25);
        }
    }
}

std::size_t product_of(const NvDsInferDims& shape) {
    std::size_t product = 1;
    for (unsigned i = 0; i < std::min(shape.numDims, 8U); ++i) {
        product = std::min<std::size_t>(product * shape.d[i], 1ULL << 31U);
    }
    return product;
}

Made make(Bytes& bytes) {
    const Known& known = KNOWN[bytes.take() % KNOWN_COUNT];
    Made made;
    made.layer.layerName = known.name;
    const unsigned type = bytes.take();
    made.layer.dataType = static_cast<NvDsInferDataType>(type < 200 ? type % 2 : type % 6);
    shape_layer(bytes, known, made.layer.inferDims);
    const std::size_t product = product_of(made.layer.inferDims);
    const unsigned wrong = bytes.take();
    const std::size_t elements = product <= MOST_ELEMENTS ? product : 0;
    made.layer.inferDims.numElements = static_cast<unsigned>(wrong < 240 ? elements : elements + wrong);
    made.layer.isInput = wrong == 239 ? 1 : 0;
    made.bytes = elements * BYTES_OF_TYPE[made.layer.dataType];
    made.buffer.reset(new unsigned char[made.bytes]);
    for (std::size_t i = 0; i < made.bytes; ++i) {
        made.buffer[i] = static_cast<unsigned char>(bytes.take());
    }
    made.layer.buffer = wrong == 238 ? nullptr : made.buffer.get();
    return made;
}

void through_nvinfer(const dockyard::Networks& networks, const dockyard::Layers& layers, float threshold) {
    const NvDsInferNetworkInfo input = {64, 48, 3};
    NvDsInferParseDetectionParams params{};
    params.numClassesConfigured = 1;
    params.perClassPreclusterThreshold = {threshold};
    try {
        const dockyard::Objects objects = dockyard::detect(networks, layers, input, params);
        require(objects.size() <= 100);
        for (const NvDsInferObjectDetectionInfo& object : objects) {
            require(object.left >= 0 && object.top >= 0 && object.width > 0 && object.height > 0);
            require(object.left + object.width <= 64 && object.top + object.height <= 48);
            require(!std::isnan(object.detectionConfidence));
        }
    } catch (const dockyard::Refused&) {
        // A sentence for the user.
    }
    try {
        const dockyard::Attached attached = dockyard::read(networks, layers, threshold);
        require(attached.label.size() <= dockyard::MOST_LABEL_BYTES);
        require(attached.confidence >= 0 && attached.confidence <= 1);
    } catch (const dockyard::Refused&) {
        // A sentence for the user.
    }
}

void through_bridge(const DockyardNetworks* networks, const std::vector<Made>& made, float threshold) {
    std::vector<DockyardLayer> layers;
    for (const Made& one : made) {
        const NvDsInferDims& shape = one.layer.inferDims;
        DockyardLayer layer = {one.layer.layerName, one.layer.buffer, one.bytes,
                               one.layer.dataType,  shape.numDims,    {}};
        std::copy(shape.d, shape.d + DOCKYARD_MOST_AXES, layer.shape);
        layers.push_back(layer);
    }
    DockyardError error{};
    DockyardBox boxes[100];
    const int32_t count =
        dockyard_detect(networks, layers.data(), layers.size(), 64, 48, threshold, boxes, 100, &error);
    require(count >= 0 || *error.text != '\0');
    DockyardReading reading{};
    require(dockyard_read(networks, layers.data(), layers.size(), threshold, &reading, &error) == 0 ||
            *error.text != '\0');
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const dockyard::Networks& networks = *new dockyard::Networks(dockyard::networks_of(OUTPUTS));
    static DockyardError error;
    static const DockyardNetworks* opened = dockyard_open(OUTPUTS, std::strlen(OUTPUTS), &error);
    Bytes bytes(data, size);
    const float threshold = static_cast<float>(bytes.take()) / 100 - 1;
    std::vector<Made> made;
    while (!bytes.is_empty() && made.size() < 8) {
        made.push_back(make(bytes));
    }
    dockyard::Layers layers;
    for (const Made& one : made) {
        layers.push_back(one.layer);
    }
    through_nvinfer(networks, layers, threshold);
    through_bridge(opened, made, threshold);
    return 0;
}
