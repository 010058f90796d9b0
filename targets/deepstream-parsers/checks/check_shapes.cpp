// Layers that are not as they should be: each is refused, nothing is appended, no byte too many is read.
#include <cstring>
#include <functional>
#include <memory>

#include "bridge.h"
#include "made_layers.h"

namespace checks {
namespace {

struct Spoiling {
    const char* what;
    std::function<void(NvDsInferLayerInfo&)> spoil;
};

std::vector<Spoiling> spoilings() {
    using Layer = NvDsInferLayerInfo;
    return {
        {"nine axes", [](Layer& layer) { layer.inferDims.numDims = 9; }},
        {"axes without end", [](Layer& layer) { layer.inferDims.numDims = 0xFFFFFFFF; }},
        {"no axis", [](Layer& layer) { layer.inferDims.numDims = 0; }},
        {"an axis less", [](Layer& layer) { --layer.inferDims.numDims; }},
        {"more elements than the shape", [](Layer& layer) { ++layer.inferDims.numElements; }},
        {"fewer elements than the shape", [](Layer& layer) { --layer.inferDims.numElements; }},
        {"a larger shape than elements", [](Layer& layer) { ++layer.inferDims.d[0]; }},
        {"a shape whose product is 2^32 times the elements",
         [](Layer& layer) {
             layer.inferDims = {5, {2, 4, 65536, 65536, 1}, 0};
         }},
        {"a shape whose product is beyond 64 bits",
         [](Layer& layer) {
             layer.inferDims = {8, {65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536}, 0};
         }},
        {"nothing along the last axis",
         [](Layer& layer) {
             layer.inferDims = {2, {2, 0}, 0};
         }},
        {"one column",
         [](Layer& layer) {
             layer.inferDims = {2, {layer.inferDims.numElements, 1}, layer.inferDims.numElements};
         }},
        {"int8", [](Layer& layer) { layer.dataType = INT8; }},
        {"int32", [](Layer& layer) { layer.dataType = INT32; }},
        {"uint8", [](Layer& layer) { layer.dataType = UINT8; }},
        {"no buffer", [](Layer& layer) { layer.buffer = nullptr; }},
        {"no name", [](Layer& layer) { layer.layerName = nullptr; }},
        {"another name", [](Layer& layer) { layer.layerName = "another"; }},
        {"an input", [](Layer& layer) { layer.isInput = 1; }},
    };
}

void check_spoilt(Expectations& is) {
    const MadeLayer box("box", {2, 4}, {1, 1, 9, 9, 20, 20, 30, 30});
    const MadeLayer score("score", {2}, {0.5F, 0.5F});
    const MadeLayer symbols("symbols", {2, 4}, {0, 1, 0, 0, 0, 0, 1, 0});
    const MadeLayer country("country", {2}, {0, 1});
    is.expect(detected({box.layer(), score.layer()}).objects.size() == 2, "a good detector");
    is.expect(read({symbols.layer(), country.layer()}).labels.size() == 1, "a good reader");
    for (const Spoiling& spoiling : spoilings()) {
        NvDsInferLayerInfo layer = box.layer();
        spoiling.spoil(layer);
        const Detected found = detected({layer, score.layer()});
        is.expect(!found.is_read && found.objects.empty(), std::string("boxes: ") + spoiling.what);
        layer = symbols.layer();
        spoiling.spoil(layer);
        const Read text = read({country.layer(), layer});
        is.expect(!text.is_read && text.labels.empty() && text.description.empty(),
                  std::string("symbols: ") + spoiling.what);
    }
}

void check_numbers_that_differ(Expectations& is) {
    const MadeLayer box("box", {2, 4}, {1, 1, 9, 9, 20, 20, 30, 30});
    const MadeLayer symbols("symbols", {2, 4}, {0, 1, 0, 0, 0, 0, 1, 0});
    is.expect(!detected({box.layer(), MadeLayer("score", {1}, {1}).layer()}).is_read, "a score too few");
    is.expect(!detected({box.layer(), MadeLayer("score", {3}, {1, 1, 1}).layer()}).is_read,
              "a score too many");
    is.expect(!detected({MadeLayer("rows", {2, 4}, std::vector<float>(8)).layer()}).is_read,
              "a column too few");
    is.expect(!detected({}).is_read && !read({}).is_read, "no layers");
    is.expect(!read({symbols.layer(), MadeLayer("country", {3}, {1, 0, 0}).layer()}).is_read,
              "three countries");
    is.expect(!read({symbols.layer(), MadeLayer("country", {0}, {}).layer()}).is_read, "no countries");
    is.expect(
        !read({MadeLayer("symbols", {0, 4}, {}).layer(), MadeLayer("country", {2}, {1, 0}).layer()}).is_read,
        "no positions");
    is.expect(!read({MadeLayer("symbols", {2, 5}, std::vector<float>(10)).layer(),
                     MadeLayer("country", {2}, {1, 0}).layer()})
                   .is_read,
              "a class too many");
    const MadeLayer rows("rows", {1, 5}, {1, 0, 0, 1, 1});
    is.expect(!detected({box.layer(), MadeLayer("score", {2}, {1, 1}).layer(), rows.layer()}).is_read,
              "the outputs of two detectors");
}

void check_an_unaligned_buffer(Expectations& is) {
    const std::vector<float> values = {0.25F, 0.75F};
    const std::unique_ptr<unsigned char[]> bytes(new unsigned char[9]);
    std::memcpy(bytes.get() + 1, values.data(), 8);
    const MadeLayer colour("colour", {2}, values);
    NvDsInferLayerInfo layer = colour.layer();
    layer.buffer = bytes.get() + 1;
    is.expect(read({layer}).description == "dy1|dark blue|-|0.750000", "a buffer that is not aligned");
}

} // namespace

void check_shapes(Expectations& is) {
    check_spoilt(is);
    check_numbers_that_differ(is);
    check_an_unaligned_buffer(is);
}

void check_bridge(Expectations& is) {
    DockyardError error{};
    DockyardNetworks* networks = dockyard_open(OUTPUTS, std::strlen(OUTPUTS), &error);
    const float scores[] = {0.25F, 0.75F};
    DockyardLayer layer = {"colour", scores, sizeof scores, 0, 1, {2}};
    DockyardReading reading{};
    is.expect(dockyard_read(networks, &layer, 1, 0, &reading, &error) == 0, "a layer through the bridge");
    is.expect(std::string(reading.label) == "dy1|dark blue|-|0.750000" && reading.is_sure == 1,
              "and its label");
    layer.bytes = 7;
    is.expect(dockyard_read(networks, &layer, 1, 0, &reading, &error) == -1, "a byte too few");
    layer = {"colour", scores, sizeof scores, 6, 1, {2}};
    is.expect(dockyard_read(networks, &layer, 1, 0, &reading, &error) == -1, "a type that is none");
    layer = {"colour", scores, sizeof scores, 0, 9, {2}};
    is.expect(dockyard_read(networks, &layer, 1, 0, &reading, &error) == -1, "nine axes");
    layer = {"colour", scores, sizeof scores, 0, 3, {65536, 65536, 65536}};
    is.expect(dockyard_read(networks, &layer, 1, 0, &reading, &error) == -1, "too large");
    is.expect(dockyard_read(networks, nullptr, 1, 0, &reading, &error) == -1, "no layers");
    is.expect(std::string(error.text).find("no layers") != std::string::npos, "and why");
    const float box[] = {1, 1, 9, 9};
    const float sure = 1;
    const DockyardLayer both[] = {{"box", box, sizeof box, 0, 1, {4}},
                                  {"score", &sure, sizeof sure, 0, 0, {}}};
    DockyardBox found{};
    is.expect(dockyard_detect(networks, both, 2, 100, 50, 0, &found, 0, &error) == -1, "no room");
    is.expect(dockyard_detect(networks, both, 2, 100, 50, 0, &found, 1, &error) == 1 && found.width == 8,
              "a box");
    dockyard_close(networks);
    dockyard_close(nullptr);
}

} // namespace checks
