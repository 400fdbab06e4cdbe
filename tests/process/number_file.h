// tests/process/number_file.h: a number that a test changes while a program under test runs, for
// libraries that are preloaded into it. No memory is asked for: malloc may not be there yet.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace tidal::tests {

/// Of the file that an environment variable names, a decimal number and the end of the line.
/// Threads: any.
class NumberFile {
public:
    explicit NumberFile(const char* variable) {
        const char* path = std::getenv(variable);
        if (path != nullptr) file_ = open(path, O_RDONLY | O_CLOEXEC);
    }
    /// As it is now; 0 without a file. What is no number changes nothing.
    long read() {
        char text[32];
        const ssize_t size = file_ < 0 ? 0 : pread(file_, text, sizeof text - 1, 0);
        if (size <= 0) return newest_;
        text[size] = '\0';
        char* end = nullptr;
        const long number = std::strtol(text, &end, 10);
        // A line that is not whole is one that is being written.
        if (end != text && *end == '\n') newest_ = number;
        return newest_;
    }

private:
    int file_ = -1;
    std::atomic<long> newest_{0};
};

}  // namespace tidal::tests
