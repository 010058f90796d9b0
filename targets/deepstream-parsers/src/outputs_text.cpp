#include "outputs_text.h"

#include <algorithm>

#include "outputs_lines.h"
#include "percent.h"
#include "refused.h"

namespace dockyard {
namespace {

const std::size_t MOST_NETWORKS = 64;
const std::size_t MOST_COLUMNS = 1U << 20U;
const std::size_t MOST_POSITIONS = 1024; ///< tensors of one text

/// Returns the place of a line's value among words. Throws Refused where it is none of them.
std::size_t word_of(const Line& line, const std::vector<std::string>& words) {
    const auto found = std::find(words.begin(), words.end(), line.value);
    if (found == words.end()) {
        std::string valid;
        for (const std::string& word : words) {
            valid += (valid.empty() ? "" : ", ") + word;
        }
        refuse(line.number, "'" + line.key + "' is none of " + valid);
    }
    return static_cast<std::size_t>(found - words.begin());
}

double share(const Line& line) {
    const double number = decimal_number(line);
    if (number < 0 || number > 1) {
        refuse(line.number, "'" + line.key + "' is not from 0 to 1");
    }
    return number;
}

Detection detection_of(Fields& fields) {
    Detection found;
    found.box_tensor = fields.name("box.tensor");
    found.form = static_cast<BoxForm>(word_of(fields.one("box.form"), {"xyxy", "yxyx", "xywh", "cxcywh"}));
    found.is_relative = word_of(fields.one("box.unit"), {"relative", "pixels"}) == 0;
    found.first = whole_number(fields.one("box.first"), MOST_COLUMNS);
    // A tensor and a column at once: the one that is not taken is refused as a key that nobody knows.
    if (fields.has("score.tensor")) {
        found.score = ScorePlace::tensor;
        found.score_tensor = fields.name("score.tensor");
    } else if (fields.has("score.column")) {
        found.score = ScorePlace::column;
        found.score_column = whole_number(fields.one("score.column"), MOST_COLUMNS);
    }
    if (found.score != ScorePlace::none) {
        found.minimum = decimal_number(fields.one("score.minimum"));
    }
    found.finds_many = found.score != ScorePlace::none && fields.has("objects.nms_iou");
    if (found.finds_many) {
        found.nms_iou = share(fields.one("objects.nms_iou"));
    }
    return found;
}

NamedClasses classes_of(Fields& fields, const std::string& key) {
    NamedClasses found;
    found.tensor = fields.name(key + ".tensor");
    found.names = fields.texts(key);
    return found;
}

Symbols symbols_of(Fields& fields, std::size_t line) {
    Symbols found;
    found.tensors = fields.texts("symbols.tensor");
    const auto empty = std::find(found.tensors.begin(), found.tensors.end(), std::string());
    if (found.tensors.size() > MOST_POSITIONS || empty != found.tensors.end()) {
        refuse(line, "'symbols.tensor' is empty, or there are more than " + std::to_string(MOST_POSITIONS));
    }
    found.is_ctc = word_of(fields.one("symbols.decoder"), {"heads", "ctc"}) == 1;
    found.alphabet = fields.texts("symbol");
    for (const std::string& symbol : found.alphabet) {
        if (character_count(symbol) != 1) {
            refuse(line, "a 'symbol' of this network is not one character");
        }
    }
    found.is_blank_given = fields.has("symbols.blank");
    found.blank = found.alphabet.size();
    if (found.is_blank_given) {
        found.blank = whole_number(fields.one("symbols.blank"), found.alphabet.size());
    }
    return found;
}

/// Returns the network whose line is `lines[at]`, and leaves `at` behind its last line.
Network network_at(const std::vector<Line>& lines, std::size_t& at) {
    const Line& first = lines[at++];
    Network network;
    network.name = text_of(first);
    Fields fields(first.number, network.name);
    for (; at < lines.size() && lines[at].key != "network"; ++at) {
        fields.add(lines[at]);
    }
    const std::vector<std::string> tasks = {"detection", "text-recognition", "classification"};
    network.task = static_cast<Task>(word_of(fields.one("task"), tasks));
    if (network.task == Task::detection) {
        network.detection = detection_of(fields);
    } else if (network.task == Task::classification) {
        network.classes = classes_of(fields, "class");
    } else {
        network.symbols = symbols_of(fields, first.number);
        if (fields.has("country.tensor") || fields.has("country")) {
            network.country = classes_of(fields, "country");
        }
    }
    fields.finish();
    return network;
}

} // namespace

Networks networks_of(const std::string& text) {
    const std::vector<Line> lines = lines_of(text);
    if (lines.empty() || lines[0].key != "dockyard-outputs") {
        throw Refused("line 1: the first line is not 'dockyard-outputs 1'");
    }
    if (lines[0].value != "1") {
        throw Refused("line 1: version '" + lines[0].value.substr(0, 20) +
                      "' of the file is not read, only 1");
    }
    Networks networks;
    for (std::size_t at = 1; at < lines.size();) {
        const Line& line = lines[at];
        if (line.key != "network") {
            refuse(line.number, "'" + line.key + "' stands before the first 'network'");
        }
        networks.push_back(network_at(lines, at));
        const std::string& name = networks.back().name;
        const auto same = [&name](const Network& other) { return other.name == name; };
        if (networks.size() > MOST_NETWORKS || std::count_if(networks.begin(), networks.end(), same) > 1) {
            refuse(line.number, "the network's name stands twice, or there are more than " +
                                    std::to_string(MOST_NETWORKS) + " networks");
        }
    }
    if (networks.empty()) {
        throw Refused("line 1: there is no network after it");
    }
    return networks;
}

} // namespace dockyard
