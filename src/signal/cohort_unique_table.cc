#include "signal/cohort_unique_table.h"

#include "signal/internal/cohort_uniques.h"

namespace tidal::signal {

Result<std::unique_ptr<CohortUniqueTable>> CohortUniqueTable::open(const Options& options,
                                                                   storage::ShardStore& store) {
    auto table = std::make_unique<CohortUniques>(options, store);
    TIDAL_TRY(table->load());
    return std::unique_ptr<CohortUniqueTable>(std::move(table));
}

}  // namespace tidal::signal
