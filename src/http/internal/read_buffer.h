// http/internal/read_buffer.h: bytes read from a socket and not yet parsed.
#pragma once

#include <cassert>
#include <cstring>
#include <memory>
#include <string_view>

namespace tidal::http {

/// One contiguous block; keeps its memory between requests up to kKeptBytesMax.
class ReadBuffer {
public:
    static constexpr std::size_t kKeptBytesMax = 16 * 1024;

    std::string_view view() const { return {block_.get() + begin_, end_ - begin_}; }
    bool empty() const { return begin_ == end_; }
    std::size_t size() const { return end_ - begin_; }

    /// Room for `bytes` more behind the content, which may move.
    char* prepare(std::size_t bytes) {
        if (capacity_ - end_ < bytes) make_room(bytes);
        return block_.get() + end_;
    }
    void commit(std::size_t bytes) { end_ += bytes; }
    void consume(std::size_t bytes) {
        assert(bytes <= size());
        begin_ += bytes;
        if (begin_ == end_) begin_ = end_ = 0;
    }
    /// Between requests: ten thousand idle clients do not keep ten thousand large blocks.
    void shrink() {
        if (!empty() || capacity_ <= kKeptBytesMax) return;
        block_.reset();
        capacity_ = 0;
    }

private:
    void make_room(std::size_t bytes) {
        const std::size_t content = size();
        if (capacity_ < content + bytes) {
            const std::size_t capacity = std::max(content + bytes, 2 * capacity_);
            auto larger = std::make_unique_for_overwrite<char[]>(capacity);
            if (content > 0) std::memcpy(larger.get(), block_.get() + begin_, content);
            block_ = std::move(larger);
            capacity_ = capacity;
        } else {
            std::memmove(block_.get(), block_.get() + begin_, content);
        }
        begin_ = 0;
        end_ = content;
    }

    std::unique_ptr<char[]> block_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace tidal::http
