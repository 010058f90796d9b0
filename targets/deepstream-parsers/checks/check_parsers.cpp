// Gives the parsers layers and texts made by hand, right and wrong ones; exits with 1 where an answer is not
// the expected one. `check_parsers say` only tells what the library says with the outputs.txt that it finds.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <unistd.h>

#include "made_layers.h"

namespace {

/// Writes the outputs to a file of its own and names it to the library; returns whether that was possible.
bool place_outputs(char* path) {
    const int file = mkstemp(path);
    const std::size_t size = std::strlen(checks::OUTPUTS);
    const bool is_written = file >= 0 && write(file, checks::OUTPUTS, size) == static_cast<ssize_t>(size);
    return is_written && close(file) == 0 && setenv("DOCKYARD_OUTPUTS", path, 1) == 0;
}

/// The first calls come from many threads at once.
void check_threads(checks::Expectations& is) {
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    threads.reserve(8);
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&right] {
            const checks::MadeLayer colour("colour", {2}, {0.75F, 0.25F});
            for (int k = 0; k < 100; ++k) {
                right += checks::read({colour.layer()}).description == "dy1|red|-|0.750000" ? 1 : 0;
                checks::read({});
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    is.expect(right == 800, "every thread's reading");
}

/// Tells how many objects are found in the outputs `box` and `score`, or that they are refused; twice.
int say() {
    const checks::MadeLayer box("box", {4}, {0.1F, 0.1F, 0.9F, 0.9F});
    const checks::MadeLayer score("score", {1}, {0.75F});
    for (int i = 0; i < 2; ++i) {
        const checks::Detected found = checks::detected({box.layer(), score.layer()});
        std::printf("%s %zu\n", found.is_read ? "read" : "refused", found.objects.size());
    }
    return 0;
}

} // namespace

int main(int count, char** words) {
    if (count == 2 && std::strcmp(words[1], "say") == 0) {
        return say();
    }
    char path[] = "/tmp/dockyard-outputs-XXXXXX";
    if (!place_outputs(path)) {
        std::fputs("the outputs of the checks cannot be written\n", stderr);
        return 1;
    }
    checks::Expectations expectations;
    check_threads(expectations);
    checks::check_answers(expectations);
    checks::check_shapes(expectations);
    checks::check_texts(expectations);
    checks::check_bridge(expectations);
    unlink(path);
    std::printf("%d of %d checks failed\n", expectations.failures(), expectations.count());
    return expectations.failures() == 0 ? 0 : 1;
}
