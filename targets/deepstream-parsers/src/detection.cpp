#include "detection.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "boxes.h"
#include "refused.h"
#include "tensor.h"

namespace dockyard {
namespace {

const std::size_t MOST_BOXES = 100;       ///< of a frame
const std::size_t MOST_CANDIDATES = 3000; ///< among which those of one object are told from others
const double NO_MINIMUM = -std::numeric_limits<double>::infinity();

/// One row of the box tensor, and its score.
struct Candidate {
    std::size_t row;
    double score;
};

/// Throws Refused where the rows do not have the columns that the outputs mention.
void check_columns(const Detection& outputs, const Tensor& rows) {
    const bool is_column = outputs.score == ScorePlace::column;
    const std::size_t least = std::max(outputs.first + 4, is_column ? outputs.score_column + 1 : 0);
    if (rows.columns() < least) {
        throw Refused("the rows of the output '" + outputs.box_tensor + "' have " +
                      std::to_string(rows.columns()) + " columns, and " + std::to_string(least) +
                      " are needed");
    }
}

Tensor score_tensor(const Detection& outputs, const Layers& layers, std::size_t rows) {
    const Tensor scores = tensor_named(layers, outputs.score_tensor);
    if (scores.size() != rows) {
        throw Refused("the output '" + outputs.score_tensor + "' has " + std::to_string(scores.size()) +
                      " scores for " + std::to_string(rows) + " boxes");
    }
    return scores;
}

/// Returns the least score of an object; `own` is the network's, NaN in a configuration file is no threshold.
double least_score(double own, const NvDsInferParseDetectionParams& params) {
    if (params.numClassesConfigured == 0 || params.perClassPreclusterThreshold.empty()) {
        return own;
    }
    const auto configured = static_cast<double>(params.perClassPreclusterThreshold[0]);
    return configured > own ? configured : own;
}

/// Returns the rows that may be objects: the surest first, of equal ones the earlier; a NaN never is one.
std::vector<Candidate> candidates(const Detection& outputs, const Tensor& boxes, const Layers& layers,
                                  const NvDsInferParseDetectionParams& params) {
    std::vector<Candidate> found;
    if (outputs.score == ScorePlace::none) {
        if (boxes.rows() > 0 && 1 >= least_score(NO_MINIMUM, params)) {
            found.push_back({0, 1.0});
        }
        return found;
    }
    const bool is_column = outputs.score == ScorePlace::column;
    const Tensor scores = is_column ? boxes : score_tensor(outputs, layers, boxes.rows());
    const double least = least_score(outputs.minimum, params);
    for (std::size_t row = 0; row < boxes.rows(); ++row) {
        const double score = is_column ? scores.at(row, outputs.score_column) : scores.at(row);
        if (score >= least && (std::isfinite(score) || !outputs.finds_many)) {
            found.push_back({row, score});
        }
    }
    const std::size_t most = std::min(found.size(), outputs.finds_many ? MOST_CANDIDATES : MOST_BOXES);
    const auto is_surer = [](const Candidate& a, const Candidate& b) {
        return a.score > b.score || (a.score == b.score && a.row < b.row);
    };
    std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(most), found.end(),
                      is_surer);
    found.resize(most);
    return found;
}

Box box_of(const Detection& outputs, const Tensor& rows, std::size_t row, const NvDsInferNetworkInfo& input) {
    const double a = rows.at(row, outputs.first);
    const double b = rows.at(row, outputs.first + 1);
    const double c = rows.at(row, outputs.first + 2);
    const double d = rows.at(row, outputs.first + 3);
    Box box = {a, b, c, d};
    if (outputs.form == BoxForm::yxyx) {
        box = {b, a, d, c};
    } else if (outputs.form == BoxForm::xywh) {
        box = {a, b, a + c, b + d};
    } else if (outputs.form == BoxForm::cxcywh) {
        box = {a - c / 2, b - d / 2, a + c / 2, b + d / 2};
    }
    if (outputs.is_relative) {
        const double width = input.width;
        const double height = input.height;
        box = {box.x0 * width, box.y0 * height, box.x1 * width, box.y1 * height};
    }
    return box;
}

/// A side of a box within 0 and `most`, as nvinfer takes it.
struct Side {
    float start;
    float length;
};

Side clipped(double low, double high, unsigned most) {
    const double limit = most;
    const auto start = static_cast<float>(std::min(std::max(low, 0.0), limit));
    const auto end = static_cast<float>(std::min(std::max(high, 0.0), limit));
    float length = end - start;
    // Rounded up, the two could add up to a hair more than there is.
    while (length > 0 && start + length > static_cast<float>(most)) {
        length = std::nextafter(length, 0.0F);
    }
    return {start, length};
}

} // namespace

Objects found_objects(const Detection& outputs, const Layers& layers, const NvDsInferNetworkInfo& input,
                      const NvDsInferParseDetectionParams& params) {
    const Tensor rows = tensor_named(layers, outputs.box_tensor);
    check_columns(outputs, rows);
    Objects objects;
    std::vector<Box> surer;
    for (const Candidate& candidate : candidates(outputs, rows, layers, params)) {
        const Box box = box_of(outputs, rows, candidate.row, input);
        if (surer.size() == MOST_BOXES) {
            break;
        }
        const auto is_same = [&](const Box& other) { return overlaps(other, box, outputs.nms_iou); };
        if (!is_finite(box) || std::any_of(surer.begin(), surer.end(), is_same)) {
            continue;
        }
        // What is clipped to nothing still stands before others of its object, as it does in Python.
        surer.push_back(box);
        const Side across = clipped(box.x0, box.x1, input.width);
        const Side down = clipped(box.y0, box.y1, input.height);
        if (across.length > 0 && down.length > 0) {
            NvDsInferObjectDetectionInfo object{}; // also clears what later releases have appended
            object.left = across.start;
            object.top = down.start;
            object.width = across.length;
            object.height = down.length;
            object.detectionConfidence = static_cast<float>(candidate.score);
            objects.push_back(object);
        }
    }
    return objects;
}

} // namespace dockyard
