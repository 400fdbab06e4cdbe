// transfer/internal/vector_mapper.h: the rows of a file of vectors as writes into a slot.
#pragma once

#include "transfer/file_mapper.h"

namespace tidal::transfer {

/// FileMapper::create() of a mapping with `vectors`. A row whose vector the slot cannot hold (not
/// finite, without direction) or whose id cannot be used is rejected; one without an id ends it.
Result<std::unique_ptr<FileMapper>> make_vector_mapper(const FileMapping& mapping,
                                                       const schema::Schema& schema,
                                                       ImportSink& sink, RowIds* ids);

}  // namespace tidal::transfer
