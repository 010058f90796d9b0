#include "confidence.h"

#include <algorithm>
#include <cmath>

namespace dockyard {
namespace {

const double SUM_OF_PROBABILITIES = 1e-2; ///< how far the sum of a row may be from 1

bool are_probabilities(const Tensor& tensor, std::size_t columns) {
    for (std::size_t start = 0; start < tensor.size(); start += columns) {
        double sum = 0;
        for (std::size_t i = start; i < start + columns; ++i) {
            const double value = tensor.at(i);
            if (!(value >= 0)) {
                return false;
            }
            sum += value;
        }
        if (!(std::fabs(sum - 1) <= SUM_OF_PROBABILITIES)) {
            return false;
        }
    }
    return true;
}

double largest(const Tensor& tensor, std::size_t start, std::size_t columns) {
    double found = tensor.at(start);
    for (std::size_t i = start + 1; i < start + columns; ++i) {
        found = std::max(found, tensor.at(i));
    }
    return found;
}

/// Returns the best probability of a row after a softmax; NaN where one of its numbers is, or the largest is
/// infinite.
double best_of_softmax(const Tensor& tensor, std::size_t start, std::size_t columns) {
    const double most = largest(tensor, start, columns);
    double sum = 0;
    for (std::size_t i = start; i < start + columns; ++i) {
        sum += std::exp(tensor.at(i) - most);
    }
    return 1 / sum;
}

} // namespace

double best_probabilities(const Tensor& tensor, std::size_t columns) {
    const bool is_ready = are_probabilities(tensor, columns);
    double product = 1;
    for (std::size_t start = 0; start < tensor.size(); start += columns) {
        product *= is_ready ? largest(tensor, start, columns) : best_of_softmax(tensor, start, columns);
    }
    return product;
}

double as_confidence(double product) {
    return std::isfinite(product) ? std::min(1.0, product) : 0.0;
}

} // namespace dockyard
