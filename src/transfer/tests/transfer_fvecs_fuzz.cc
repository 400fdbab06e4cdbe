// Any bytes as fvecs: rows, rejected rows or an error, the same however cut.
#include "transfer/tests/vector_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const tidal::transfer::VectorFuzz fuzz("fvecs");
    fuzz.run({reinterpret_cast<const char*>(data), size});
    return 0;
}
