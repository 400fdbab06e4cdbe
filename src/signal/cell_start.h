// signal/cell_start.h: between which moments what a window counts cannot change by time alone.
#pragma once

#include "base/hlc.h"
#include "schema/schema.h"

namespace tidal::signal {

/// Start of the cell that `now` is in, of the cells `window` is made of; not kAll. Two moments with
/// the same start see the same cells: a window's value differs between them only by events.
UnixMillis cell_start(schema::Window window, UnixMillis now);
/// The same for the slices that distinct users are kept in: an eighth of `window`.
UnixMillis slice_start(schema::Window window, UnixMillis now);

/// Every start above is a multiple of this since the Unix epoch.
inline constexpr UnixMillis kCellStartGrainMs = 30'000;

}  // namespace tidal::signal
