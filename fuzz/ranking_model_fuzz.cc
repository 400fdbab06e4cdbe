// Any text through the reader of models: what reads scores to finite numbers, and every walk ends.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "ranking/model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using tidal::ranking::Model;
    const auto model = Model::parse({reinterpret_cast<const char*>(data), size});
    if (!model) return 0;
    const std::vector<double> odd{0, -1, 1e300, -1e300, 0.5, 1e-300, 7};
    const std::vector<const double*> columns(model->inputs().size(), odd.data());
    std::vector<double> out(odd.size());
    model->score(columns, odd.size(), out.data());
    for (const double score : out)
        if (!(std::abs(score) <= 1e300)) std::abort();
    return 0;
}
