// A layer of nvinfer's as numbers, after everything that could be wrong with it was looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "sdk.h"

namespace dockyard {

/// The numbers of one output of a network, float32 or float16.
class Tensor {
  public:
    /// Throws Refused where the layer's type, shape, number of elements or buffer is not as it should be.
    explicit Tensor(const NvDsInferLayerInfo& layer);

    std::size_t size() const { return size_; }
    /// Returns the size of the last axis; 1 for a single number.
    std::size_t columns() const { return columns_; }
    /// Returns the number of rows along the last axis; 0 where there is nothing.
    std::size_t rows() const { return columns_ == 0 ? 0 : size_ / columns_; }

    /// Returns an element; `index` is below size().
    double at(std::size_t index) const;
    double at(std::size_t row, std::size_t column) const { return at(row * columns_ + column); }

  private:
    const unsigned char* bytes_;
    bool is_half_;
    std::size_t size_ = 1;
    std::size_t columns_ = 1;
};

/// Returns the output layer of a name, or null.
const NvDsInferLayerInfo* find_layer(const Layers& layers, const std::string& name);

/// Returns the numbers of the output of a name.
/// Throws Refused where it is not among the layers, or is not as it should be.
Tensor tensor_named(const Layers& layers, const std::string& name);

/// Returns the value of an IEEE 754 half.
double half_value(std::uint16_t half);

} // namespace dockyard
