#include "loaded_outputs.h"

#include <cstdlib>
#include <dlfcn.h>
#include <fstream>
#include <string>

#include "outputs_lines.h"
#include "outputs_text.h"
#include "refused.h"

namespace dockyard {
namespace {

const char* const FILE_NAME = "outputs.txt";
const int HERE = 0; ///< something whose address lies in this library

std::string path_of_outputs() {
    const char* given = std::getenv("DOCKYARD_OUTPUTS");
    if (given != nullptr && *given != '\0') {
        return given;
    }
    Dl_info info{};
    const std::string library = dladdr(&HERE, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
    const std::size_t slash = library.rfind('/');
    if (slash == std::string::npos) {
        throw Refused("the folder of this library is not known: name the file in DOCKYARD_OUTPUTS");
    }
    return library.substr(0, slash + 1) + FILE_NAME;
}

/// Returns the text of a file; of one that is too long a byte more than is allowed.
std::string text_of_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text(MOST_BYTES + 1, '\0');
    file.read(&text[0], static_cast<std::streamsize>(text.size()));
    if (!file.eof() && file.fail()) {
        throw Refused("cannot be read");
    }
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

struct Loaded {
    Networks networks;
    std::string problem; ///< why there are none
};

Loaded load() {
    Loaded loaded;
    std::string path = FILE_NAME;
    try {
        path = path_of_outputs();
        loaded.networks = networks_of(text_of_file(path));
    } catch (const Refused& problem) {
        loaded.problem = path + ": " + problem.what();
    }
    return loaded;
}

} // namespace

const Networks& loaded_networks() {
    // Never destroyed: nvinfer's threads may still call while the process ends.
    static const Loaded& loaded = *new Loaded(load());
    if (!loaded.problem.empty()) {
        throw Refused(loaded.problem);
    }
    return loaded.networks;
}

} // namespace dockyard
