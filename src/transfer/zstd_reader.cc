#include "transfer/zstd_reader.h"

#include <zstd.h>

#include <new>

namespace tidal::transfer {
namespace {

constexpr int kWindowLogMax = 27;
constexpr std::string_view kMagic = "\x28\xB5\x2F\xFD";

}  // namespace

struct ZstdReader::State {
    struct Free {
        void operator()(ZSTD_DCtx* freed) const { ZSTD_freeDCtx(freed); }
    };
    std::unique_ptr<ZSTD_DCtx, Free> context{ZSTD_createDCtx()};
    std::string output = std::string(ZSTD_DStreamOutSize(), '\0');
    std::uint64_t bytes_read = 0;
    bool within_frame = false;
};

ZstdReader::ZstdReader() : state_(std::make_unique<State>()) {
    if (!state_->context) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(state_->context.get(), ZSTD_d_windowLogMax, kWindowLogMax);
}
ZstdReader::~ZstdReader() = default;

bool ZstdReader::is_packed(std::string_view beginning) {
    return beginning.starts_with(kMagic);
}

Result<void> ZstdReader::feed(std::string_view bytes, Sink& sink) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    bool output_was_full = false;
    while (in.pos < in.size || output_was_full) {
        ZSTD_outBuffer out{state_->output.data(), state_->output.size(), 0};
        const std::size_t hint = ZSTD_decompressStream(state_->context.get(), &out, &in);
        if (ZSTD_isError(hint) != 0)
            return Error(ErrorCode::kCorruption,
                         std::string("not a readable zstd stream: ") + ZSTD_getErrorName(hint))
                .with("byte_offset", state_->bytes_read + in.pos);
        state_->within_frame = hint != 0;
        output_was_full = out.pos == out.size && hint != 0;
        if (out.pos > 0) TIDAL_TRY(sink(std::string_view(state_->output).substr(0, out.pos)));
    }
    state_->bytes_read += bytes.size();
    return {};
}

Result<void> ZstdReader::finish() const {
    if (!state_->within_frame) return {};
    return Error(ErrorCode::kCorruption, "the zstd stream ends too early")
        .with("bytes", state_->bytes_read)
        .with_hint("is the file complete?");
}

}  // namespace tidal::transfer
