// How sure a network is, as `confidence_of` in shared/inference/decoding.py says it.
#pragma once

#include "tensor.h"

namespace dockyard {

/// Returns the product of the best probabilities of a tensor's rows of `columns` numbers each; NaN where its
/// arithmetic failed. Where not all rows are probabilities, all are taken through a softmax.
double best_probabilities(const Tensor& tensor, std::size_t columns);

/// Returns a product of probabilities as a confidence, 0 to 1: of arithmetic that failed nothing is sure.
double as_confidence(double product);

} // namespace dockyard
