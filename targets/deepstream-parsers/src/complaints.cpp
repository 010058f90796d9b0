#include "complaints.h"

#include <cstdio>
#include <exception>
#include <mutex>
#include <set>

namespace dockyard {
namespace {

const std::size_t MOST_REASONS = 100;

struct Said {
    std::mutex lock;
    std::set<std::string> reasons;
};

Said& said_so_far() {
    // Never destroyed: nvinfer's threads may still call while the process ends.
    static Said& said = *new Said;
    return said;
}

} // namespace

void complain(const std::string& reason) noexcept {
    try {
        Said& said = said_so_far();
        const std::lock_guard<std::mutex> held(said.lock);
        if (said.reasons.size() < MOST_REASONS && said.reasons.insert(reason).second) {
            std::fprintf(stderr, "dockyard parsers: %s\n", reason.c_str());
        }
    } catch (const std::exception&) {
        std::fputs("dockyard parsers: no memory to say what is wrong\n", stderr);
    }
}

} // namespace dockyard
