// Texts of outputs.txt that are refused, each with the line and the reason.
#include "bridge.h"
#include "made_layers.h"

namespace checks {
namespace {

const char* const HEAD = "dockyard-outputs 1\n";
const char* const BOX =
    "network a\ntask detection\nbox.tensor b\nbox.form xyxy\nbox.unit pixels\nbox.first 0\n";
const char* const CLASS = "network c\ntask classification\nclass.tensor c\n";
const char* const TEXT =
    "network t\ntask text-recognition\nsymbols.tensor s\nsymbols.decoder ctc\nsymbol A\n";

struct BadText {
    std::string text;
    const char* told;
};

std::string with(const std::string& part, const std::string& line) {
    return HEAD + part + line;
}

std::vector<BadText> bad_boxes() {
    return {
        {with(BOX, "x 1\n"), "line 8: 'x' is no key of this network's task"},
        {with(BOX, "class red\n"), "line 8: 'class' is no key"},
        {with(BOX, "box.form xyxy\n"), "line 8: 'box.form' stands twice"},
        {with(BOX, "score.column 1\n"), "line 2: the network 'a' lacks 'score.minimum'"},
        {with(BOX, "score.minimum 1\n"), "line 8: 'score.minimum' is no key"},
        {with(BOX, "score.tensor s\nscore.column 1\nscore.minimum 1\n"), "line 9: 'score.column' is no key"},
        {with(BOX, "score.column -1\nscore.minimum 1\n"), "line 8: 'score.column' is no whole number"},
        {with(BOX, "score.column 1048577\nscore.minimum 1\n"), "line 8: 'score.column' is no whole number"},
        {with(BOX, "score.column 99999999999999999999\nscore.minimum 1\n"), "no whole number"},
        {with(BOX, "score.tensor s\nscore.minimum nan\n"), "line 9: 'score.minimum' is no decimal"},
        {with(BOX, "score.tensor s\nscore.minimum 1e999\n"), "line 9: 'score.minimum' is no decimal"},
        {with(BOX, "score.tensor s\nscore.minimum 0x1\n"), "line 9: 'score.minimum' is no decimal"},
        {with(BOX, "score.tensor s\nscore.minimum 0,4\n"), "line 9: 'score.minimum' is no decimal"},
        {with(BOX, "score.tensor \nscore.minimum 1\n"), "line 8: 'score.tensor' is empty"},
        {with(BOX, "objects.nms_iou 0.5\n"), "line 8: 'objects.nms_iou' is no key"},
        {with(BOX, "score.column 1\nscore.minimum 1\nobjects.nms_iou 1.5\n"),
         "line 10: 'objects.nms_iou' is not"},
        {with(BOX, "score.column 1\nscore.minimum 1\nobjects.nms_iou x\n"),
         "line 10: 'objects.nms_iou' is no"},
        {with(BOX, "score.tensor"), "line 8: the last line does not end"},
        {with(BOX, "\n"), "line 8: the line is no key"},
        {with(BOX, "score.tensor\n"), "line 8: the line is no key"},
        {with(BOX, " x\n"), "line 8: the line is no key"},
        {with(BOX, BOX), "line 8: the network's name stands twice"},
        {with(BOX, "score.tensor " + std::string(5000, 's') + "\n"), "line 8: the line is longer"},
    };
}

std::vector<BadText> bad_texts() {
    return {
        {"", "line 1: the first line is not"},
        {"outputs 1\n", "line 1: the first line is not"},
        {"dockyard-outputs 2\n", "line 1: version '2'"},
        {HEAD, "line 1: there is no network"},
        {with("", "task detection\n"), "line 2: 'task' stands before"},
        {with("", "network a\n"), "line 2: the network 'a' lacks 'task'"},
        {with("", "network a\ntask segmentation\n"), "line 3: 'task' is none of detection, text-recognition"},
        {with(CLASS, ""), "line 2: the network 'c' lacks 'class'"},
        {with(CLASS, "class a b\n"), "line 5: a character that is no printable ASCII"},
        {with(CLASS, "class \xC3\x84\n"), "line 5: a character that is no printable ASCII"},
        {with(CLASS, "class %\n"), "line 5: a % has no two"},
        {with(CLASS, "class %4\n"), "line 5: a % has no two"},
        {with(CLASS, "class %c3%84\n"), "line 5: a % has no two"},
        {with(CLASS, "class %C3\n"), "line 5: the text is no UTF-8"},
        {with(CLASS, "class %ED%A0%80\n"), "line 5: the text is no UTF-8"},
        {with(CLASS, "class %C0%80\n"), "line 5: the text is no UTF-8"},
        {with(CLASS, "class %F4%90%80%80\n"), "line 5: the text is no UTF-8"},
        {with(TEXT, "symbol AB\n"), "line 2: a 'symbol' of this network is not one character"},
        {with(TEXT, "symbol \n"), "line 2: a 'symbol' of this network is not one character"},
        {with(TEXT, "symbols.blank 2\n"), "line 7: 'symbols.blank' is no whole number from 0 to 1"},
        {with(TEXT, "symbols.tensor \n"), "line 2: 'symbols.tensor' is empty"},
        {with(TEXT, "country D\n"), "line 2: the network 't' lacks 'country.tensor'"},
        {with(TEXT, "country.tensor c\n"), "line 2: the network 't' lacks 'country'"},
        {std::string((1U << 20U) + 1, 'x'), "the text is longer than 1048576 bytes"},
    };
}

std::string many(const char* line, unsigned count) {
    std::string text;
    for (unsigned i = 0; i < count; ++i) {
        text += line;
    }
    return text;
}

/// Returns what the bridge says of a text; empty where it can be read.
std::string told_of(const std::string& text) {
    DockyardError error{};
    DockyardNetworks* networks = dockyard_open(text.data(), text.size(), &error);
    dockyard_close(networks);
    return networks == nullptr ? error.text : "";
}

} // namespace

void check_texts(Expectations& is) {
    std::vector<BadText> texts = bad_texts();
    const std::vector<BadText> boxes = bad_boxes();
    texts.insert(texts.end(), boxes.begin(), boxes.end());
    for (const BadText& bad : texts) {
        const std::string told = told_of(bad.text);
        is.expect(told.find(bad.told) != std::string::npos, "'" + told + "' has: " + bad.told);
    }
    is.expect(told_of(OUTPUTS).empty(), "the outputs of these checks");
    is.expect(told_of(with(TEXT, "country.tensor c\ncountry \n")).empty(), "a name that is empty");
    is.expect(told_of(with(CLASS, many("class x\n", 65536))).empty(), "as many names as are read");
    is.expect(!told_of(with(CLASS, many("class x\n", 65537))).empty(), "a name more");
    is.expect(told_of(with(TEXT, many("symbols.tensor s\n", 1023))).empty(), "as many positions as are read");
    is.expect(!told_of(with(TEXT, many("symbols.tensor s\n", 1024))).empty(), "a position more");
    std::string networks;
    for (int i = 0; i < 65; ++i) {
        networks += "network n" + std::to_string(i) + std::string(CLASS).substr(9) + "class x\n";
    }
    is.expect(!told_of(with("", networks)).empty(), "65 networks");
}

} // namespace checks
