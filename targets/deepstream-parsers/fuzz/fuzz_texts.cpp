// Any bytes as outputs.txt, and as the text and the country of a label.
#include <cstdint>
#include <cstdlib>

#include "label.h"
#include "outputs_text.h"
#include "percent.h"
#include "refused.h"

namespace {

void require(bool is_so) {
    if (!is_so) {
        std::abort();
    }
}

void read_outputs(const std::string& text) {
    try {
        const dockyard::Networks networks = dockyard::networks_of(text);
        require(!networks.empty());
        for (const dockyard::Network& network : networks) {
            for (const std::string& tensor : dockyard::tensors_of(network)) {
                require(!tensor.empty());
            }
            require(network.symbols.blank <= network.symbols.alphabet.size());
        }
    } catch (const dockyard::Refused&) {
        // What most bytes are.
    }
}

/// What a label keeps of a text is found again in it.
void write_label(const std::string& text) {
    dockyard::Reading reading;
    reading.text = text.substr(0, text.size() / 2);
    reading.has_country = text.size() % 2 == 1;
    reading.country = text.substr(text.size() / 2);
    reading.confidence = static_cast<double>(text.size() % 101) / 100;
    const std::string label = dockyard::label_of(reading);
    require(label.size() <= dockyard::MOST_LABEL_BYTES);
    if (label == "dy1!too long") {
        return;
    }
    std::size_t bars = 0;
    for (const char symbol : label) {
        const auto byte = static_cast<unsigned char>(symbol);
        require(byte >= ' ' && byte != 0x7F);
        bars += symbol == '|' ? 1 : 0;
    }
    require(bars == 3);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    read_outputs(text);
    // Most mutations would spoil the first line.
    read_outputs("dockyard-outputs 1\nnetwork a\n" + text);
    write_label(text);
    return 0;
}
