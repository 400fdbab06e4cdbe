// wal/archive_codec.h: what the archive keeps in the place of a batch's records, so that users can
// be forgotten. The log knows no records: whoever does implements this. docs/formats/archive.md.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wal/batch.h"

namespace tidal::wal {

class ArchiveCodec {
public:
    /// A payload of records, unpacked.
    struct Batch {
        BatchHeader header;
        std::string_view payload;
    };
    struct Sealed {
        BatchHeader header;
        std::string payload;
    };
    /// Memory of one read. Threads: one at a time.
    class Reader {
    public:
        virtual ~Reader() = default;
        /// The records again, as many as there were; one that nobody can read any more is empty.
        virtual Result<std::string> open(const BatchHeader& header, std::string_view sealed) = 0;
    };

    virtual ~ArchiveCodec() = default;
    /// Batches of one history, in their order, out of which come as many or, where one grows beyond
    /// what a batch holds, more. Executor "wal-files".
    /// @return kUnavailable  not yet: the log keeps what it has until NodeLog::resume_sealing(), or
    ///                       the next checkpoint.
    virtual Result<std::vector<Sealed>> seal(std::span<const Batch> batches) = 0;
    /// Any thread.
    virtual std::unique_ptr<Reader> reader() = 0;
};

}  // namespace tidal::wal
