#include "reading.h"

#include <algorithm>

#include "confidence.h"
#include "refused.h"
#include "tensor.h"

namespace dockyard {
namespace {

/// Returns the best of `count` classes from element `start` on: the first of equal ones, or the first NaN.
std::size_t best_class(const Tensor& tensor, std::size_t start, std::size_t count) {
    std::size_t best = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const double value = tensor.at(start + i);
        if (value != value) {
            return i;
        }
        if (value > tensor.at(start + best)) {
            best = i;
        }
    }
    return best;
}

/// Returns a tensor with one score for each name. Throws Refused where it has another number of them.
Tensor scores_of(const NamedClasses& classes, const Layers& layers) {
    const Tensor tensor = tensor_named(layers, classes.tensor);
    if (tensor.size() != classes.names.size()) {
        throw Refused("the output '" + classes.tensor + "' has " + std::to_string(tensor.size()) +
                      " numbers for " + std::to_string(classes.names.size()) + " names");
    }
    return tensor;
}

/// Returns the tensors of the positions, all with as many classes as the alphabet says.
std::vector<Tensor> positions(const Symbols& symbols, const Layers& layers) {
    const std::size_t most = symbols.alphabet.size() + 1;
    // Where nobody said which class the blank is, there may be none.
    const std::size_t least = symbols.is_blank_given || symbols.is_ctc ? most : most - 1;
    std::vector<Tensor> tensors;
    for (const std::string& name : symbols.tensors) {
        tensors.push_back(tensor_named(layers, name));
        const std::size_t columns = tensors.back().columns();
        if (columns < least || columns > most || columns != tensors[0].columns()) {
            throw Refused("the output '" + name + "' has " + std::to_string(columns) + " classes for " +
                          std::to_string(symbols.alphabet.size()) + " symbols and the blank");
        }
        if (tensors.back().size() == 0) {
            throw Refused("the output '" + name + "' has no position");
        }
    }
    return tensors;
}

std::vector<std::size_t> best_classes(const std::vector<Tensor>& tensors) {
    std::vector<std::size_t> classes;
    for (const Tensor& tensor : tensors) {
        for (std::size_t start = 0; start < tensor.size(); start += tensor.columns()) {
            classes.push_back(best_class(tensor, start, tensor.columns()));
        }
    }
    return classes;
}

std::string text_of_classes(const Symbols& symbols, std::vector<std::size_t> classes) {
    if (symbols.is_ctc) {
        classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
    }
    std::string text;
    for (const std::size_t found : classes) {
        if (found != symbols.blank) {
            text += symbols.alphabet[found - (found > symbols.blank ? 1 : 0)];
        }
    }
    return text;
}

} // namespace

Reading reading_of(const Network& network, const Layers& layers) {
    Reading reading;
    if (network.task == Task::classification) {
        const Tensor scores = scores_of(network.classes, layers);
        reading.text = network.classes.names[best_class(scores, 0, scores.size())];
        reading.confidence = as_confidence(best_probabilities(scores, scores.size()));
        return reading;
    }
    const std::vector<Tensor> tensors = positions(network.symbols, layers);
    reading.text = text_of_classes(network.symbols, best_classes(tensors));
    double product = 1;
    for (const Tensor& tensor : tensors) {
        product *= best_probabilities(tensor, tensor.columns());
    }
    reading.confidence = as_confidence(product);
    reading.has_country = !network.country.tensor.empty();
    if (reading.has_country) {
        const Tensor scores = scores_of(network.country, layers);
        reading.country = network.country.names[best_class(scores, 0, scores.size())];
    }
    return reading;
}

} // namespace dockyard
