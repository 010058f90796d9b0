#include "outputs.h"

namespace dockyard {

std::vector<std::string> tensors_of(const Network& network) {
    if (network.task == Task::classification) {
        return {network.classes.tensor};
    }
    if (network.task == Task::text_recognition) {
        std::vector<std::string> names = network.symbols.tensors;
        if (!network.country.tensor.empty()) {
            names.push_back(network.country.tensor);
        }
        return names;
    }
    if (network.detection.score == ScorePlace::tensor) {
        return {network.detection.box_tensor, network.detection.score_tensor};
    }
    return {network.detection.box_tensor};
}

} // namespace dockyard
