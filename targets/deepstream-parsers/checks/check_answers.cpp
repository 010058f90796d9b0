// What the functions that nvinfer calls answer to layers that are as they should be.
#include <cmath>
#include <limits>

#include "made_layers.h"

namespace checks {
namespace {

const float NOT_A_NUMBER = std::numeric_limits<float>::quiet_NaN();
const float ENDLESS = std::numeric_limits<float>::infinity();

void check_boxes(Expectations& is) {
    // The surest stands over the first; one overlaps it, one lies outside, one is NaN, one is below the
    // minimum.
    const MadeLayer box("box", {6, 4}, {60, 10, 90,  40, 10,           10, 30, 30, 61,  11,  91, 41,
                                        90, -5, 120, 60, NOT_A_NUMBER, 0,  9,  9,  -50, -50, -1, -1});
    const MadeLayer score("score", {6}, {0.75F, 0.125F, 0.5F, 0.875F, 0.8125F, 0.78125F});
    const Detected found = detected({score.layer(), box.layer()});
    is.expect(found.is_read && found.objects.size() == 2, "two boxes are left");
    if (found.objects.size() == 2) {
        const NvDsInferObjectDetectionInfo& first = found.objects[0];
        is.expect(first.left == 90 && first.top == 0 && first.width == 10 && first.height == 50, "clipped");
        is.expect(first.classId == 0 && first.detectionConfidence == 0.875F, "the surest first, of class 0");
        is.expect(found.objects[1].left == 60 && found.objects[1].width == 30, "then the next");
#if DOCKYARD_DEEPSTREAM_MAJOR >= 9
        is.expect(first.rotation_angle == 0, "without a rotation");
#endif
    }
    is.expect(detected({score.layer(), box.layer()}, 0.8F).objects.size() == 1, "nvinfer's higher threshold");
    is.expect(detected({score.layer(), box.layer()}, NOT_A_NUMBER).objects.size() == 2,
              "NaN is no threshold");
}

void check_thresholds(Expectations& is) {
    const MadeLayer box("box", {4}, {1, 1, 9, 9});
    const MadeLayer score("score", {}, {0.5F});
    NvDsInferParseDetectionParams params{};
    std::vector<NvDsInferObjectDetectionInfo> objects(1);
    const std::vector<NvDsInferLayerInfo> layers = {box.layer(), score.layer()};
    is.expect(NvDsInferParseCustomDetector(layers, {100, 50, 3}, params, objects), "no thresholds at all");
    params.numClassesConfigured = 3;
    is.expect(NvDsInferParseCustomDetector(layers, {100, 50, 3}, params, objects), "fewer than classes");
    params.numClassesConfigured = 0;
    params.perClassPreclusterThreshold = {0.9F};
    is.expect(NvDsInferParseCustomDetector(layers, {100, 50, 3}, params, objects), "more than classes");
    is.expect(objects.size() == 4, "objects are appended");
    is.expect(NvDsInferParseCustomDetector(layers, {0, 0, 3}, params, objects), "an input without pixels");
    is.expect(objects.size() == 4, "has no boxes");
}

void check_columns(Expectations& is) {
    const MadeLayer rows("rows", {1, 2, 5},
                         {0.5F, 0.5F, 0.5F, 0.25F, 0.5F, ENDLESS, 0.1F, 0.1F, ENDLESS, 0.1F});
    const Detected found = detected({rows.layer()});
    is.expect(found.objects.size() == 1, "a box without an end is none");
    is.expect(!found.objects.empty() && found.objects[0].left == 37.5F && found.objects[0].width == 25,
              "centre and size, relative");
    const MadeLayer none("rows", {0, 5}, {});
    is.expect(detected({none.layer()}).is_read, "no rows are no boxes");
}

void check_readings(Expectations& is) {
    const MadeLayer symbols("symbols", {5, 4}, {0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
    const MadeLayer country("country", {2}, {0.25F, 0.75F});
    const Read found = read({symbols.layer(), country.layer()});
    const std::string label = "dy1|A\xC3\x84%7C|%2D|1.000000";
    is.expect(found.labels == std::vector<std::string>{label}, "the symbols, the country and the confidence");
    is.expect(found.description == label, "the description is the label");
    const MadeLayer blank("symbols", {1, 4}, {0.5F, 0.25F, 0.25F, 0});
    is.expect(read({blank.layer(), country.layer()}, 0.5F).description == "dy1||%2D|0.500000",
              "nothing read");
    const Read unsure = read({blank.layer(), country.layer()}, 0.5001F);
    is.expect(unsure.is_read && unsure.labels.empty() && unsure.description.empty(), "below the threshold");
    const MadeLayer failed("symbols", {1, 4}, {0, 1, NOT_A_NUMBER, 0});
    is.expect(read({failed.layer(), country.layer()}).description == "dy1|\xC3\x84|%2D|0.000000",
              "NaN is not sure");
    const MadeLayer colour("colour", {1, 2, 1}, {0.25F, 0.75F});
    is.expect(read({colour.layer()}).description == "dy1|dark blue|-|0.750000", "the name of a class");
}

void check_long_labels(Expectations& is) {
    const MadeLayer country("country", {2}, {1, 0});
    // 127 bytes hold 112 symbols of one byte beside the rest; a blank keeps them apart.
    for (const unsigned length : {112U, 113U}) {
        std::vector<float> rows;
        for (unsigned i = 0; i < length; ++i) {
            const std::vector<float> symbol = {0, 1, 0, 0, 1, 0, 0, 0};
            rows.insert(rows.end(), symbol.begin(), symbol.end());
        }
        const MadeLayer symbols("symbols", {length * 2, 4}, rows);
        const std::string whole = "dy1|" + std::string(length, 'A') + "|D|1.000000";
        is.expect(read({symbols.layer(), country.layer()}).description ==
                      (length == 112 ? whole : "dy1!too long"),
                  "a label of " + std::to_string(whole.size()) + " bytes");
    }
}

void check_halves(Expectations& is) {
    const MadeLayer space("colour", {2}, {0});
    NvDsInferLayerInfo layer = space.layer();
    layer.dataType = HALF;
    layer.inferDims.numElements = 2;
    const std::uint16_t halves[] = {0x3400, 0x3A00}; // 0.25 and 0.75
    std::memcpy(layer.buffer, halves, sizeof halves);
    is.expect(read({layer}).description == "dy1|dark blue|-|0.750000", "float16");
}

} // namespace

void check_answers(Expectations& is) {
    check_boxes(is);
    check_thresholds(is);
    check_columns(is);
    check_readings(is);
    check_long_labels(is);
    check_halves(is);
}

} // namespace checks
