#include "wal/internal/file_preparer.h"

#include <cassert>

#include "wal/internal/log_writer.h"

namespace tidal::wal {

void FilePreparer::adopt(std::unique_ptr<runtime::File> file) {
    const std::lock_guard lock(mutex_);
    made_.emplace(std::move(file));
    state_ = State::kReady;
}

void FilePreparer::request(std::uint64_t sequence, runtime::Executor& executor,
                           runtime::Work done) {
    {
        const std::lock_guard lock(mutex_);
        assert(state_ == State::kIdle);
        state_ = State::kMaking;
    }
    executor.post([this, sequence, done = std::move(done)]() mutable {
        make(sequence);
        done();
    });
}

void FilePreparer::make(std::uint64_t sequence) {
    // Filling a full disk to its brim at every try would take the last blocks from everyone else.
    auto room = disk_.free_bytes();
    auto made = !room                 ? Result<std::unique_ptr<runtime::File>>(room.take_error())
                : *room < file_bytes_ ? Error(ErrorCode::kDiskFull, "no room for the next log file")
                                            .with("needed", file_bytes_)
                                            .with("free", *room)
                                      : make_log_file(disk_, directory_, sequence, file_bytes_);
    const std::lock_guard lock(mutex_);
    state_ = made ? State::kReady : State::kFailed;
    made_.emplace(std::move(made));
}

FilePreparer::State FilePreparer::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

Result<std::unique_ptr<runtime::File>> FilePreparer::take() {
    const std::lock_guard lock(mutex_);
    assert(state_ == State::kReady || state_ == State::kFailed);
    state_ = State::kIdle;
    auto made = std::move(*made_);
    made_.reset();
    return made;
}

}  // namespace tidal::wal
