// base/codec.h: bounds-checked little-endian binary codec.
//
// Encoder appends to a string it owns. Decoder borrows bytes; after the first short or malformed
// read it stays failed and returns zeros, so that a decode function reads straight through and asks
// `finish()` once. Varints are LEB128; signed ones zig-zag.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal {

static_assert(std::endian::native == std::endian::little, "formats are copied, not swapped");

class Encoder {
public:
    Encoder() = default;
    explicit Encoder(std::string reuse) : bytes_(std::move(reuse)) { bytes_.clear(); }

    void u8(std::uint8_t v) { bytes_.push_back(static_cast<char>(v)); }
    void u16(std::uint16_t v) { fixed(v); }
    void u32(std::uint32_t v) { fixed(v); }
    void u64(std::uint64_t v) { fixed(v); }
    void i64(std::int64_t v) { fixed(v); }
    void f32(float v) { fixed(v); }
    void f64(double v) { fixed(v); }
    void varint(std::uint64_t v) {
        while (v >= 0x80) {
            u8(static_cast<std::uint8_t>(v | 0x80));
            v >>= 7;
        }
        u8(static_cast<std::uint8_t>(v));
    }
    void svarint(std::int64_t v) {
        varint((static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63));
    }
    void raw(std::string_view v) { bytes_.append(v); }
    /// Varint length, then the bytes.
    void bytes(std::string_view v) {
        varint(v.size());
        raw(v);
    }

    std::size_t size() const { return bytes_.size(); }
    std::string_view view() const { return bytes_; }
    std::string take() { return std::move(bytes_); }
    void clear() { bytes_.clear(); }

private:
    template <typename T>
    void fixed(T v) {
        char buffer[sizeof(T)];
        std::memcpy(buffer, &v, sizeof(T));
        bytes_.append(buffer, sizeof(T));
    }
    std::string bytes_;
};

class Decoder {
public:
    explicit Decoder(std::string_view bytes) : rest_(bytes), size_(bytes.size()) {}

    std::uint8_t u8() { return fixed<std::uint8_t>(); }
    std::uint16_t u16() { return fixed<std::uint16_t>(); }
    std::uint32_t u32() { return fixed<std::uint32_t>(); }
    std::uint64_t u64() { return fixed<std::uint64_t>(); }
    std::int64_t i64() { return fixed<std::int64_t>(); }
    float f32() { return fixed<float>(); }
    double f64() { return fixed<double>(); }
    /// Refuses more than ten bytes and bits past the 64th.
    std::uint64_t varint() {
        std::uint64_t v = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const std::uint8_t byte = u8();
            if (shift == 63 && byte > 1) break;
            v |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) return v;
        }
        fail();
        return 0;
    }
    std::int64_t svarint() {
        const std::uint64_t v = varint();
        return static_cast<std::int64_t>((v >> 1) ^ (~(v & 1) + 1));
    }
    /// A view into the borrowed bytes; empty after a failure.
    std::string_view raw(std::size_t size) {
        if (failed_ || rest_.size() < size) {
            fail();
            return {};
        }
        const auto out = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return out;
    }
    std::string_view bytes() { return raw(varint()); }
    /// A count of things that take at least `min_size` bytes each: a forged count cannot make the
    /// caller allocate more than the input could hold.
    std::size_t count(std::size_t min_size) {
        const std::uint64_t n = varint();
        if (failed_ || n > rest_.size() / (min_size == 0 ? 1 : min_size)) {
            fail();
            return 0;
        }
        return static_cast<std::size_t>(n);
    }

    bool failed() const { return failed_; }
    void fail() {
        failed_ = true;
        rest_ = {};
    }
    std::size_t remaining() const { return rest_.size(); }
    std::size_t offset() const { return size_ - rest_.size(); }
    std::string_view rest() const { return rest_; }

    /// kCorruption when anything was short or malformed, or bytes are left over.
    Result<void> finish(std::string_view what) const {
        if (failed_)
            return Error(ErrorCode::kCorruption, std::string(what) + ": truncated or malformed");
        if (!rest_.empty())
            return Error(ErrorCode::kCorruption, std::string(what) + ": bytes left over")
                .with("bytes", rest_.size());
        return {};
    }

private:
    template <typename T>
    T fixed() {
        T v{};
        const auto bytes = raw(sizeof(T));
        if (bytes.size() == sizeof(T)) std::memcpy(&v, bytes.data(), sizeof(T));
        return v;
    }
    std::string_view rest_;
    std::size_t size_;
    bool failed_ = false;
};

}  // namespace tidal
