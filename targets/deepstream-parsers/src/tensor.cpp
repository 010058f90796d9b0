#include "tensor.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "refused.h"

namespace dockyard {
namespace {

const std::size_t MOST_ELEMENTS = 1U << 28U; ///< of one frame's output: a gigabyte of float32

std::string name_of(const NvDsInferLayerInfo& layer) {
    return layer.layerName == nullptr ? "an output without a name"
                                      : "the output '" + std::string(layer.layerName) + "'";
}

/// Returns the number of elements of a shape. Throws Refused where it contradicts itself or is too large.
std::size_t checked_size(const NvDsInferLayerInfo& layer) {
    const NvDsInferDims& shape = layer.inferDims;
    if (shape.numDims > NVDSINFER_MAX_DIMS) {
        throw Refused(name_of(layer) + " has more axes than a shape can hold");
    }
    std::size_t size = 1;
    for (unsigned i = 0; i < shape.numDims; ++i) {
        // Both are below 2^32, so that their product is one that 64 bits hold.
        size *= shape.d[i];
        if (size > MOST_ELEMENTS) {
            throw Refused(name_of(layer) + " has more elements than any network's");
        }
    }
    if (size != shape.numElements) {
        throw Refused(name_of(layer) + " has a number of elements that is not that of its shape");
    }
    return size;
}

} // namespace

static_assert(sizeof(std::size_t) == 8, "sizes are multiplied in 64 bits");

Tensor::Tensor(const NvDsInferLayerInfo& layer)
    : bytes_(static_cast<const unsigned char*>(layer.buffer)), is_half_(layer.dataType == HALF),
      size_(checked_size(layer)) {
    if (layer.dataType != FLOAT && layer.dataType != HALF) {
        throw Refused(name_of(layer) + " is neither float32 nor float16");
    }
    if (bytes_ == nullptr) {
        throw Refused(name_of(layer) + " has no buffer in host memory");
    }
    if (layer.inferDims.numDims > 0) {
        columns_ = layer.inferDims.d[layer.inferDims.numDims - 1];
    }
}

double Tensor::at(std::size_t index) const {
    // Copied: nobody promises that the buffer is aligned.
    if (is_half_) {
        std::uint16_t half = 0;
        std::memcpy(&half, bytes_ + index * sizeof half, sizeof half);
        return half_value(half);
    }
    float value = 0;
    std::memcpy(&value, bytes_ + index * sizeof value, sizeof value);
    return static_cast<double>(value);
}

const NvDsInferLayerInfo* find_layer(const Layers& layers, const std::string& name) {
    for (const NvDsInferLayerInfo& layer : layers) {
        if (layer.isInput == 0 && layer.layerName != nullptr && name == layer.layerName) {
            return &layer;
        }
    }
    return nullptr;
}

Tensor tensor_named(const Layers& layers, const std::string& name) {
    const NvDsInferLayerInfo* layer = find_layer(layers, name);
    if (layer == nullptr) {
        throw Refused("there is no output '" + name + "'");
    }
    return Tensor(*layer);
}

double half_value(std::uint16_t half) {
    const bool is_negative = (half & 0x8000U) != 0;
    const int exponent = static_cast<int>((half >> 10U) & 0x1FU);
    const int fraction = static_cast<int>(half & 0x3FFU);
    double value = 0;
    if (exponent == 31) {
        value = fraction == 0 ? std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
    } else if (exponent == 0) {
        value = std::ldexp(fraction, -24);
    } else {
        value = std::ldexp(fraction + 1024, exponent - 25);
    }
    return is_negative ? -value : value;
}

} // namespace dockyard
