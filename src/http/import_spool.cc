#include "http/import_spool.h"

#include <algorithm>

namespace tidal::http {
namespace {

constexpr std::uint64_t kCheckBytes = 16 << 20;
constexpr std::size_t kPieceBytes = 256 * 1024;

}  // namespace

Result<void> clear_import_folder(runtime::Disk& disk) {
    TIDAL_TRY(disk.create_directories(kImportFolder));
    TIDAL_ASSIGN(const auto names, disk.list(kImportFolder));
    for (const std::string& name : names)
        TIDAL_TRY(disk.remove(std::string(kImportFolder) + "/" + name));
    return {};
}

ImportSpool::ImportSpool(runtime::Disk& disk, const SpoolLimits& limits, std::string prefix)
    : disk_(disk), limits_(limits), prefix_(std::move(prefix)) {}

ImportSpool::~ImportSpool() {
    open_.reset();
    // What cannot be removed now is removed by the next start.
    for (std::size_t at = 0; at < names_.size(); ++at) (void)disk_.remove(path_of(at));
}

std::string ImportSpool::path_of(std::size_t at) const {
    return std::string(kImportFolder) + "/" + prefix_ + "-" + std::to_string(at);
}

Result<void> ImportSpool::check_room(std::uint64_t more) {
    if (bytes_ + more > limits_.bytes_max)
        return Error(ErrorCode::kTooLarge, "the import is larger than the server keeps aside")
            .with("bytes_max", limits_.bytes_max)
            .with_hint("send fewer files at once, packed by zstd, or raise import_spool_mib");
    if (bytes_ + more < bytes_checked_) return {};
    bytes_checked_ = bytes_ + more + kCheckBytes;
    TIDAL_ASSIGN(const std::uint64_t free, disk_.free_bytes());
    if (free < limits_.free_bytes_min + kCheckBytes)
        return Error(ErrorCode::kDiskFull, "no room to keep the files of an import aside")
            .with("free_bytes", free);
    return {};
}

Result<void> ImportSpool::on_file(std::string_view name, std::uint64_t bytes) {
    if (std::find(names_.begin(), names_.end(), name) != names_.end())
        return Error(ErrorCode::kConflict, "a file comes twice").with("file", name);
    if (bytes > limits_.bytes_max) TIDAL_TRY(check_room(bytes));
    names_.emplace_back(name);
    sizes_.push_back(0);
    TIDAL_ASSIGN(open_, disk_.open(path_of(names_.size() - 1), runtime::OpenMode::kCreate));
    return {};
}

Result<void> ImportSpool::on_bytes(std::string_view bytes) {
    TIDAL_TRY(check_room(bytes.size()));
    TIDAL_TRY(open_->write_at(sizes_.back(), bytes));
    sizes_.back() += bytes.size();
    bytes_ += bytes.size();
    return {};
}

Result<void> ImportSpool::on_file_end() {
    open_.reset();
    return {};
}

api::ImportSource ImportSpool::source(const std::string& name) {
    const auto at =
        static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
    api::ImportSource source;
    source.name = name;
    source.bytes = sizes_[at];
    source.open = [spool = shared_from_this(),
                   path = path_of(at)]() -> Result<std::unique_ptr<api::ByteReader>> {
        TIDAL_ASSIGN(auto file, spool->disk_.open(path, runtime::OpenMode::kRead));
        return std::unique_ptr<api::ByteReader>(
            std::make_unique<SpoolReader>(spool, std::move(file)));
    };
    return source;
}

Result<std::string> SpoolReader::read() {
    std::string piece(kPieceBytes, '\0');
    TIDAL_ASSIGN(const std::size_t bytes, file_->read_at(at_, piece));
    piece.resize(bytes);
    at_ += bytes;
    return piece;
}

}  // namespace tidal::http
