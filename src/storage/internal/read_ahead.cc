#include "storage/internal/read_ahead.h"

#include <future>
#include <vector>

namespace tidal::storage::internal {
namespace {

constexpr std::size_t kAtOnceBytes = std::size_t{64} << 10, kBlockBytes = std::size_t{256} << 10;

std::string_view view(const rocksdb::Slice& bytes) {
    return {bytes.data(), bytes.size()};
}

/// Copies of rows, keys and values one behind the other.
class Block {
public:
    void fill(rocksdb::Iterator& rows) {
        bytes_.clear();
        rows_.clear();
        for (; rows.Valid() && bytes_.size() < kBlockBytes; rows.Next()) {
            const rocksdb::Slice key = rows.key(), value = rows.value();
            bytes_.append(key.data(), key.size()).append(value.data(), value.size());
            rows_.push_back({key.size(), value.size()});
        }
        is_last_ = !rows.Valid();
    }
    bool visit(RowEngine::Visitor& visitor) const {
        std::string_view left = bytes_;
        for (const Row& row : rows_) {
            if (!visitor(left.substr(0, row.key), left.substr(row.key, row.value))) return false;
            left.remove_prefix(row.key + row.value);
        }
        return true;
    }
    bool is_last() const { return is_last_; }

private:
    struct Row {
        std::size_t key = 0, value = 0;  ///< Bytes.
    };
    std::string bytes_;
    std::vector<Row> rows_;
    bool is_last_ = false;
};

/// A block that the reader fills. Whoever leaves waits until it has let go of the iterator.
class Ahead {
public:
    Ahead(rocksdb::Iterator& rows, runtime::Executor& reader) : rows_(rows), reader_(reader) {}
    Ahead(const Ahead&) = delete;
    Ahead& operator=(const Ahead&) = delete;
    ~Ahead() {
        if (filled_.valid()) filled_.wait();
    }
    void begin() {
        std::packaged_task<void()> fill([this] { block_.fill(rows_); });
        filled_ = fill.get_future();
        reader_.post(std::move(fill));
    }
    /// What begin() began. Throws what filling it threw.
    void finish(Block* block) {
        try {
            filled_.get();
        } catch (const std::future_error&) {
            block_.fill(rows_);  // The reader was stopped before it came to it.
        }
        std::swap(block_, *block);
    }

private:
    rocksdb::Iterator& rows_;
    runtime::Executor& reader_;
    Block block_;
    std::future<void> filled_;
};

/// @return whether the visitor wants more.
bool visit_some(rocksdb::Iterator& rows, std::size_t bytes_max, RowEngine::Visitor& visitor) {
    for (std::size_t bytes = 0; rows.Valid() && bytes < bytes_max; rows.Next()) {
        const std::string_view key = view(rows.key()), value = view(rows.value());
        bytes += key.size() + value.size();
        if (!visitor(key, value)) return false;
    }
    return true;
}

}  // namespace

bool visit_ahead(rocksdb::Iterator& rows, runtime::Executor* reader, RowEngine::Visitor& visitor) {
    if (!visit_some(rows, reader == nullptr ? SIZE_MAX : kAtOnceBytes, visitor)) return false;
    if (!rows.Valid()) return true;
    Block block;
    Ahead ahead(rows, *reader);
    for (ahead.begin();;) {
        ahead.finish(&block);
        if (!block.is_last()) ahead.begin();
        if (!block.visit(visitor)) return false;
        if (block.is_last()) return true;
    }
}

}  // namespace tidal::storage::internal
