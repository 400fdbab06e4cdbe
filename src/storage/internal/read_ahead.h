// storage/internal/read_ahead.h: a long scan, read on one thread while another visits its rows.
#pragma once

#include <rocksdb/iterator.h>

#include "runtime/executor.h"
#include "storage/row_engine.h"

namespace tidal::storage::internal {

/// Visits what is left of `rows` in order, on this thread, as RowEngine::scan. After the first 64
/// KiB, which most scans do not pass, `reader` reads a block of 256 KiB while the one before is
/// visited. A piece of its work never waits for a visitor, so scans may share a reader, and a
/// visitor may scan. nullptr, or one that was stopped: this thread reads as well.
/// @return false = the visitor stopped: what the iterator says of rows behind is nobody's concern.
///         Otherwise what it ended with is in its status().
bool visit_ahead(rocksdb::Iterator& rows, runtime::Executor* reader, RowEngine::Visitor& visitor);

}  // namespace tidal::storage::internal
