#include "wal/internal/log_writer.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "base/crc32c.h"
#include "wal/internal/recovery.h"

namespace tidal::wal {
namespace {

Result<void> fill_file(runtime::Disk& disk, const std::string& path, std::uint64_t file_bytes) {
    // Left behind by an attempt that could not even remove it.
    if (auto removed = disk.remove(path);
        !removed && removed.error().code() != ErrorCode::kNotFound)
        return removed.take_error();
    TIDAL_ASSIGN(const auto file, disk.open(path, runtime::OpenMode::kCreate));
    TIDAL_TRY(write_zeros(*file, 0, file_bytes));
    return file->sync();
}

}  // namespace

Result<std::unique_ptr<runtime::File>> make_log_file(runtime::Disk& disk,
                                                     const std::string& directory,
                                                     std::uint64_t sequence,
                                                     std::uint64_t file_bytes) {
    const auto temporary = join_path(directory, kPrepareName);
    const auto path = join_path(directory, log_file_name(sequence));
    if (auto filled = fill_file(disk, temporary, file_bytes); !filled) {
        if (auto removed = disk.remove(temporary); !removed)
            return filled.take_error().with("left behind", temporary);
        return filled.take_error();
    }
    TIDAL_TRY(disk.rename(temporary, path));
    TIDAL_TRY(disk.sync_directory(directory));
    return disk.open(path, runtime::OpenMode::kReadWrite);
}

void LogWriter::resume(std::unique_ptr<runtime::File> file, std::uint64_t sequence,
                       std::uint64_t file_bytes, std::uint64_t end) {
    previous_end_ = {sequence - 1, 0};
    file_ = std::move(file);
    sequence_ = sequence;
    file_bytes_ = file_bytes;
    end_ = touched_ = end;
    synced_ = {sequence, end};
    rewind_buffer();
}

void LogWriter::start(std::unique_ptr<runtime::File> file, std::uint64_t sequence,
                      std::uint64_t file_bytes) {
    assert(synced_ == end() || sequence_ == 0);
    const auto before = end();
    resume(std::move(file), sequence, file_bytes, 0);
    previous_end_ = before;
    // Until this file has something durable, the end of the one before is what is known synced.
    if (before.file + 1 == sequence) synced_ = before;
}

bool LogWriter::fits(std::size_t payload_bytes) const {
    const auto begin = end_ == 0 ? kFileHeaderBytes : end_;
    return begin + kBatchHeaderBytes + payload_bytes <= file_bytes_;
}

Result<void> LogWriter::put(BatchHeader& header, std::string_view payload) {
    assert(fits(payload.size()));
    if (end_ == 0) TIDAL_TRY(put_file_header());
    const auto distance = linear(end()) - linear(synced_);
    header.payload_bytes = static_cast<std::uint32_t>(payload.size());
    assert(distance <= 2 * kLogFileBytes);  // At most the rest of one file and one group.
    header.synced_distance = static_cast<std::uint32_t>(distance);
    std::array<char, kBatchHeaderBytes> bytes;
    encode_header(header, crc32c(payload), bytes.data());
    TIDAL_TRY(put_bytes({bytes.data(), bytes.size()}));
    return put_bytes(payload);
}

Result<void> LogWriter::put_file_header() {
    const auto previous = previous_end_.file + 1 == sequence_ ? previous_end_.offset : 0;
    return put_bytes(encode_file_header({sequence_, static_cast<std::uint32_t>(file_bytes_),
                                         static_cast<std::uint32_t>(previous)}));
}

Result<void> LogWriter::put_bytes(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto used = end_ - buffer_begin_;
        const auto piece = std::min<std::size_t>(bytes.size(), kBufferBytes - used);
        std::memcpy(buffer_.get() + used, bytes.data(), piece);
        bytes.remove_prefix(piece);
        end_ += piece;
        if (end_ - buffer_begin_ < kBufferBytes) continue;
        TIDAL_TRY(write());
        rewind_buffer();
    }
    return {};
}

Result<void> LogWriter::write() {
    if (written_ == end_) return {};
    touched_ = std::max(touched_, end_);
    TIDAL_TRY(file_->write_at(written_, {buffer_.get() + (written_ - buffer_begin_),
                                         static_cast<std::size_t>(end_ - written_)}));
    written_ = end_;
    return {};
}

Result<void> LogWriter::sync() {
    assert(written_ == end_);
    TIDAL_TRY(file_->sync());
    synced_ = end();
    rewind_buffer();
    return {};
}

void LogWriter::rewind_buffer() {
    buffer_begin_ = end_ / 4096 * 4096;
    written_ = end_;
}

Result<void> LogWriter::scrub() {
    end_ = synced_.file == sequence_ ? synced_.offset : 0;
    rewind_buffer();
    if (touched_ > end_) {
        TIDAL_TRY(write_zeros(*file_, end_, touched_));
        TIDAL_TRY(file_->sync());
        touched_ = end_;
    }
    return {};
}

}  // namespace tidal::wal
