// Any bytes as a file of NumPy: rows, rejected rows or an error, the same however cut.
#include "transfer/tests/vector_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const tidal::transfer::VectorFuzz fuzz("npy");
    fuzz.run({reinterpret_cast<const char*>(data), size});
    return 0;
}
