// ctl/rejects_file.h: the rows that an import rejected, in a local file as they come.
#pragma once

#include <fstream>
#include <string>

#include "ctl/client.h"

namespace tidal::ctl {

/// What an earlier run left in the file stays until there is something of this one. Threads: one at
/// a time.
class RejectsFile {
public:
    /// @param path  Empty = none is kept.
    explicit RejectsFile(std::string path) : path_(std::move(path)) {}

    /// kIo where the file cannot be written.
    Result<void> open();
    /// Appends what the server has more than was taken.
    /// @param rejects  Its address, "/import/{id}/rejects".
    Result<void> take(Client& client, const std::string& rejects);
    /// As if nothing had been taken.
    void forget() { bytes_ = 0; }
    /// Nothing was rejected.
    Result<void> clear();

private:
    Error failed() const;

    const std::string path_;
    std::ofstream out_;
    std::uint64_t bytes_ = 0;  ///< Taken so far.
};

}  // namespace tidal::ctl
