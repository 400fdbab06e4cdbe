#include "transfer/internal/vector_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/codec.h"
#include "entity/vector_codec.h"
#include "transfer/internal/npy_header.h"

namespace tidal::transfer {
namespace {

Error refused(std::string message) {
    return Error(ErrorCode::kInvalidArgument, std::move(message));
}

class FvecsReader final : public VectorReader {
public:
    explicit FvecsReader(std::uint32_t dimensions) : VectorReader(dimensions, kCountBytes) {
        values_.resize(dimensions);
    }

private:
    static constexpr std::size_t kCountBytes = sizeof(std::uint32_t);

    Result<void> take(std::string_view unit, OnRow on_row) override {
        if (!std::exchange(in_row_, !in_row_)) return take_count(unit);
        std::memcpy(values_.data(), unit.data(), unit.size());
        unit_bytes_ = kCountBytes;
        return hand_on(on_row);
    }
    Result<void> take_count(std::string_view unit) {
        const std::uint32_t count = Decoder(unit).u32();
        if (count != dimensions_)
            return at_row(std::to_string(count) + " dimensions, where the slot has " +
                          std::to_string(dimensions_));
        unit_bytes_ = std::size_t{count} * sizeof(float);
        return {};
    }
    Result<void> check_end() const override {
        return in_row_ ? Result<void>(at_row("the file ends within it")) : Result<void>();
    }

    bool in_row_ = false;  ///< Behind its count.
};

class NpyReader final : public VectorReader {
public:
    explicit NpyReader(std::uint32_t dimensions) : VectorReader(dimensions, kStart.size() + 2) {}

private:
    static constexpr std::string_view kStart = "\x93NUMPY";
    enum class Part : std::uint8_t { kVersion, kHeaderBytes, kHeader, kRows };

    Result<void> take(std::string_view unit, OnRow on_row) override {
        switch (part_) {
            case Part::kVersion:
                return take_version(unit);
            case Part::kHeaderBytes:
                return take_header_bytes(unit);
            case Part::kHeader:
                return take_header(unit);
            case Part::kRows:
                return take_row(unit, on_row);
        }
        return {};
    }
    Result<void> take_version(std::string_view unit) {
        if (!unit.starts_with(kStart)) return refused("npy: the file is none of NumPy's");
        const auto version = static_cast<unsigned char>(unit[kStart.size()]);
        if (version < 1 || version > 3)
            return refused("npy: version " + std::to_string(version) + ", where 1 to 3 are known");
        unit_bytes_ = version == 1 ? sizeof(std::uint16_t) : sizeof(std::uint32_t);
        part_ = Part::kHeaderBytes;
        return {};
    }
    Result<void> take_header_bytes(std::string_view unit) {
        constexpr std::size_t kHeaderBytesMax = 64 << 10;
        Decoder in(unit);
        unit_bytes_ = unit.size() == sizeof(std::uint16_t) ? in.u16() : in.u32();
        if (unit_bytes_ > kHeaderBytesMax) return refused("npy: a header of more than 64 KiB");
        part_ = Part::kHeader;
        return {};
    }
    Result<void> take_header(std::string_view unit) {
        TIDAL_ASSIGN(const NpyHeader header, parse_npy_header(unit));
        TIDAL_TRY(choose_type(header.descr));
        if (header.fortran_order)
            return refused("npy: in Fortran order")
                .with_hint("numpy.ascontiguousarray() before numpy.save()");
        if (header.shape.size() != 2)
            return refused("npy: an array of " + std::to_string(header.shape.size()) +
                           " axes, where a row a vector makes 2");
        if (header.shape[1] != dimensions_)
            return refused("npy: rows of " + std::to_string(header.shape[1]) +
                           " dimensions, where the slot has " + std::to_string(dimensions_));
        count_ = header.shape[0];
        values_.resize(dimensions_);
        part_ = Part::kRows;
        await_row();
        return {};
    }
    Result<void> choose_type(std::string_view descr) {
        constexpr std::string_view kTypes[] = {"<f4", "<f2", "|i1"};
        constexpr std::size_t kBytes[] = {4, 2, 1};
        const auto* const found = std::ranges::find(kTypes, descr);
        if (found == std::end(kTypes))
            return refused("npy: numbers of type '" + std::string(descr) + "'")
                .with_hint("<f4, <f2 or |i1: array.astype('<f4')");
        number_bytes_ = kBytes[found - std::begin(kTypes)];
        return {};
    }
    void await_row() { unit_bytes_ = rows_ < count_ ? dimensions_ * number_bytes_ : 1; }
    Result<void> take_row(std::string_view unit, OnRow on_row) {
        if (rows_ == count_)
            return refused("npy: bytes behind the last of " + std::to_string(count_) + " rows");
        Decoder in(unit);
        for (float& value : values_) {
            if (number_bytes_ == 4) {
                value = in.f32();
            } else if (number_bytes_ == 2) {
                value = entity::half_to_float(in.u16());
            } else {
                value = static_cast<float>(static_cast<std::int8_t>(in.u8()));
            }
        }
        TIDAL_TRY(hand_on(on_row));
        await_row();
        return {};
    }
    Result<void> check_end() const override {
        if (part_ != Part::kRows) return refused("npy: the file ends within its header");
        if (rows_ == count_) return {};
        return at_row("the file ends before it does; its header says " + std::to_string(count_) +
                      " rows");
    }

    Part part_ = Part::kVersion;
    std::uint64_t count_ = 0;
    std::size_t number_bytes_ = 0;
};

}  // namespace

std::unique_ptr<VectorReader> VectorReader::create(FileFormat format, std::uint32_t dimensions) {
    if (format == FileFormat::kFvecs) return std::make_unique<FvecsReader>(dimensions);
    return std::make_unique<NpyReader>(dimensions);
}

Error VectorReader::at_row(const std::string& message) const {
    return refused("row " + std::to_string(rows_ + 1) + ": " + message);
}

Result<void> VectorReader::hand_on(OnRow on_row) {
    ++rows_;
    TIDAL_ASSIGN(const bool more, on_row(rows_, values_));
    stopped_ = !more;
    return {};
}

Result<void> VectorReader::feed(std::string_view bytes, OnRow on_row) {
    while (!stopped_ && !bytes.empty()) {
        if (begun_.empty() && bytes.size() >= unit_bytes_) {
            const std::string_view unit = bytes.substr(0, unit_bytes_);
            bytes.remove_prefix(unit_bytes_);
            TIDAL_TRY(take(unit, on_row));
            continue;
        }
        const std::string_view more = bytes.substr(0, unit_bytes_ - begun_.size());
        begun_ += more;
        bytes.remove_prefix(more.size());
        if (begun_.size() < unit_bytes_) continue;
        TIDAL_TRY(take(begun_, on_row));
        begun_.clear();
    }
    return {};
}

Result<void> VectorReader::finish() {
    if (stopped_) return {};
    if (!begun_.empty() && rows_ == 0 && unit_bytes_ <= sizeof(std::uint64_t))
        return refused("the file ends within its first bytes");
    if (!begun_.empty()) return at_row("the file ends within it");
    return check_end();
}

}  // namespace tidal::transfer
