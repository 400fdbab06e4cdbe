// transfer/internal/vector_reader.h: files that hold vectors and nothing else, fed in pieces of any
// size.
//
// fvecs   texmex: each row an int32 with the dimensions, then as many float32. No header.
// npy     NumPy: "\x93NUMPY", version 1 to 3, and a header that says what follows; here a matrix
//         with a row a vector, of float32 (<f4), float16 (<f2) or int8 (|i1), in C order.
// All is little-endian. Sources: corpus-texmex.irisa.fr; numpy.lib.format.
#pragma once

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "transfer/mapping.h"

namespace tidal::transfer {

/// What a byte means depends on those before it: after damage nothing more can be read, and errors
/// name the row, from 1. Memory: one row, or a header of at most 64 KiB.
class VectorReader {
public:
    /// False = no more rows are wanted.
    using OnRow = absl::FunctionRef<Result<bool>(std::uint64_t row, std::span<const float> values)>;

    /// @param format  kFvecs or kNpy. @param dimensions  That rows must have; not 0.
    static std::unique_ptr<VectorReader> create(FileFormat format, std::uint32_t dimensions);
    virtual ~VectorReader() = default;

    /// @return kInvalidArgument  not such a file, or not of such rows; what on_row() returned.
    Result<void> feed(std::string_view bytes, OnRow on_row);
    /// @return kInvalidArgument  it ends too early.
    Result<void> finish();

protected:
    VectorReader(std::uint32_t dimensions, std::size_t unit_bytes)
        : dimensions_(dimensions), unit_bytes_(unit_bytes) {}

    /// The next unit_bytes_, which it then sets for the next time.
    virtual Result<void> take(std::string_view unit, OnRow on_row) = 0;
    /// Whether the file may end before the next unit.
    virtual Result<void> check_end() const = 0;

    /// The row that `values_` holds.
    Result<void> hand_on(OnRow on_row);
    /// Of the row that is read.
    Error at_row(const std::string& message) const;

    const std::uint32_t dimensions_;
    std::size_t unit_bytes_;
    std::uint64_t rows_ = 0;  ///< Read.
    std::vector<float> values_;

private:
    std::string begun_;  ///< Of a unit that is not there as a whole.
    bool stopped_ = false;
};

}  // namespace tidal::transfer
