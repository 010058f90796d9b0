#include "made_layers.h"

#include <cstdio>
#include <cstdlib>

namespace checks {

const char* const OUTPUTS = "dockyard-outputs 1\n"
                            "network detector\ntask detection\n"
                            "box.tensor box\nbox.form xyxy\nbox.unit pixels\nbox.first 0\n"
                            "score.tensor score\nscore.minimum 0.25\n"
                            "network columns\ntask detection\n"
                            "box.tensor rows\nbox.form cxcywh\nbox.unit relative\nbox.first 1\n"
                            "score.column 0\nscore.minimum 0\n"
                            "network reader\ntask text-recognition\n"
                            "symbols.tensor symbols\nsymbols.decoder ctc\nsymbols.blank 0\n"
                            "symbol A\nsymbol %C3%84\nsymbol %7C\n"
                            "country.tensor country\ncountry D\ncountry -\n"
                            "network colour\ntask classification\nclass.tensor colour\n"
                            "class red\nclass dark%20blue\n";

void Expectations::expect(bool is_so, const std::string& what) {
    ++count_;
    if (!is_so) {
        ++failures_;
        std::fprintf(stderr, "not as expected: %s\n", what.c_str());
    }
}

Detected detected(const std::vector<NvDsInferLayerInfo>& layers, float threshold) {
    NvDsInferParseDetectionParams params{};
    params.numClassesConfigured = 1;
    params.perClassPreclusterThreshold = {threshold};
    const NvDsInferNetworkInfo input = {100, 50, 3};
    Detected found;
    found.is_read = NvDsInferParseCustomDetector(layers, input, params, found.objects);
    return found;
}

Read read(const std::vector<NvDsInferLayerInfo>& layers, float threshold) {
    std::vector<NvDsInferAttribute> attributes;
    Read found;
    found.is_read =
        NvDsInferParseCustomReader(layers, {100, 50, 3}, threshold, attributes, found.description);
    for (const NvDsInferAttribute& attribute : attributes) {
        found.labels.emplace_back(attribute.attributeLabel);
        std::free(attribute.attributeLabel); // as nvinfer does
    }
    return found;
}

} // namespace checks
