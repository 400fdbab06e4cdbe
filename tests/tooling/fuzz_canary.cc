// A target that is wrong about inputs that begin with "x" and hold a second byte: the smoke run
// must find one.
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 1 && data[0] == 'x') std::abort();
    return 0;
}
