#include "ctl/rejects_file.h"

namespace tidal::ctl {

Error RejectsFile::failed() const {
    return Error(ErrorCode::kIo, "cannot write the file of rejected rows").with("file", path_);
}

Result<void> RejectsFile::open() {
    if (path_.empty()) return {};
    out_.open(path_, std::ios::binary | std::ios::app);
    if (!out_.is_open()) return failed();
    return {};
}

Result<void> RejectsFile::clear() {
    if (path_.empty()) return {};
    out_.close();
    out_.open(path_, std::ios::binary | std::ios::trunc);
    bytes_ = 0;
    if (!out_.is_open()) return failed();
    return {};
}

Result<void> RejectsFile::take(Client& client, const std::string& rejects) {
    if (path_.empty()) return {};
    Result<void> written;
    const std::string address = rejects + "?from=" + std::to_string(bytes_);
    TIDAL_TRY(client.get_stream(address, [&](std::string_view bytes) {
        if (bytes.empty()) return true;
        if (bytes_ == 0) written = clear();
        out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        bytes_ += bytes.size();
        if (written.ok() && !out_.good()) written = failed();
        return written.ok();
    }));
    out_.flush();
    return written;
}

}  // namespace tidal::ctl
