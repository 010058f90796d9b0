// Layers made by hand, each in a buffer of exactly its bytes, so that AddressSanitizer sees a byte read too
// many.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "parsers.h"

namespace checks {

/// A layer and the memory that it points to.
class MadeLayer {
  public:
    MadeLayer(std::string name, const std::vector<unsigned>& shape, const std::vector<float>& values)
        : name_(std::move(name)), values_(values) {
        values_.reserve(1); // the buffer of no values is one, too
        layer_.dataType = FLOAT;
        layer_.inferDims.numDims = static_cast<unsigned>(shape.size());
        layer_.inferDims.numElements = static_cast<unsigned>(values.size());
        std::copy(shape.begin(), shape.end(), layer_.inferDims.d);
    }

    /// Returns the layer as nvinfer gives it; it may be changed, and lives as long as this object.
    NvDsInferLayerInfo layer() const {
        NvDsInferLayerInfo layer = layer_;
        layer.layerName = name_.c_str();
        layer.buffer = const_cast<float*>(values_.data()); // nvinfer's structure has no const
        return layer;
    }

  private:
    std::string name_;
    std::vector<float> values_;
    NvDsInferLayerInfo layer_{};
};

/// Counts and says what was not as expected.
class Expectations {
  public:
    void expect(bool is_so, const std::string& what);
    int failures() const { return failures_; }
    int count() const { return count_; }

  private:
    int failures_ = 0;
    int count_ = 0;
};

/// The networks that the checks write to outputs.txt.
extern const char* const OUTPUTS;

/// An answer of the detector: whether it succeeded, and its objects.
struct Detected {
    bool is_read = false;
    std::vector<NvDsInferObjectDetectionInfo> objects;
};

Detected detected(const std::vector<NvDsInferLayerInfo>& layers, float threshold = 0.0F);

/// An answer of the reader; its labels have been freed.
struct Read {
    bool is_read = false;
    std::vector<std::string> labels;
    std::string description;
};

Read read(const std::vector<NvDsInferLayerInfo>& layers, float threshold = 0.0F);

/// Each looks at one part of what the parsers promise.
void check_answers(Expectations& is);
void check_shapes(Expectations& is);
void check_texts(Expectations& is);
void check_bridge(Expectations& is);

} // namespace checks
