#include "signal/ledger_table.h"

#include "signal/internal/pair_ledger.h"

namespace tidal::signal {

double LedgerReading::velocity(schema::Window window) const {
    if (window == schema::Window::kAll) return 0;
    const double sum = record::weight_to_double(windows[static_cast<std::size_t>(window)].sum);
    return sum / static_cast<double>(shape_of(window).seconds);
}

double LedgerReading::acceleration(schema::Window shorter, schema::Window longer) const {
    const double base = velocity(longer);
    return base == 0 ? 0 : velocity(shorter) / base - 1;
}

Result<std::unique_ptr<LedgerTable>> LedgerTable::open(const Options& options,
                                                       storage::ShardStore& store,
                                                       const schema::Schema& schema) {
    auto table = std::make_unique<PairLedger>(options, store);
    TIDAL_TRY(table->load(schema));
    return std::unique_ptr<LedgerTable>(std::move(table));
}

}  // namespace tidal::signal
