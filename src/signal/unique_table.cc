#include "signal/unique_table.h"

#include "signal/internal/pair_uniques.h"

namespace tidal::signal {

Result<std::unique_ptr<UniqueTable>> UniqueTable::open(const Options& options,
                                                       storage::ShardStore& store,
                                                       const schema::Schema& schema) {
    auto table = std::make_unique<PairUniques>(options, store);
    TIDAL_TRY(table->load(schema));
    return std::unique_ptr<UniqueTable>(std::move(table));
}

}  // namespace tidal::signal
