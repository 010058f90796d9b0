// What networks' outputs mean, as outputs.txt says it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace dockyard {

enum class Task { detection, text_recognition, classification };

/// Corners (x before y, or y before x), corner and size, or centre and size.
enum class BoxForm { xyxy, yxyx, xywh, cxcywh };

/// Where the score of a box is.
enum class ScorePlace { none, tensor, column };

/// A detector's outputs: rows whose four numbers from column `first` are a box.
struct Detection {
    std::string box_tensor;
    BoxForm form = BoxForm::xyxy;
    bool is_relative = true; ///< to the sides of the network's input; else in its pixels
    std::size_t first = 0;
    ScorePlace score = ScorePlace::none;
    std::string score_tensor;     ///< of ScorePlace::tensor
    std::size_t score_column = 0; ///< of ScorePlace::column
    double minimum = 0;           ///< a score below it is no object
    bool finds_many = false;      ///< every object of a frame is to be found
    double nms_iou = 0.5;         ///< of two boxes that overlap by more, the surer one counts
};

/// A tensor of class scores, and the classes' names in their order.
struct NamedClasses {
    std::string tensor; ///< empty where the network has none
    std::vector<std::string> names;
};

/// The symbols of a text: one tensor of all positions, or one for each.
struct Symbols {
    std::vector<std::string> tensors;
    std::vector<std::string> alphabet; ///< in the order of the classes, the blank left out
    bool is_ctc = false;               ///< repeats are merged before blanks are dropped
    bool is_blank_given = false;       ///< else the last class is the blank, or there is none
    std::size_t blank = 0;             ///< its class
};

/// One network; what its task does not have is empty.
struct Network {
    std::string name;
    Task task = Task::detection;
    Detection detection;
    Symbols symbols;
    NamedClasses country;
    NamedClasses classes;
};

using Networks = std::vector<Network>;

/// Returns the names of the tensors that a network's outputs mention.
std::vector<std::string> tensors_of(const Network& network);

} // namespace dockyard
