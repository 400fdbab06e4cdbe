// record/budget_codec.h: budgets of memory; in records and in the row of a shard's configuration.
#pragma once

#include "base/codec.h"
#include "record/record.h"

namespace tidal::record {

void encode_budgets(const MemoryBudgets& budgets, Encoder* out);
MemoryBudgets decode_budgets(Decoder* in);

}  // namespace tidal::record
