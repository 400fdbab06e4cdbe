#include "cluster/error_codec.h"

#include <algorithm>

namespace tidal::cluster {

void encode_error(const Error& error, Encoder* out) {
    const std::string_view code = error_info(error.code()).name;
    out->bytes(code);
    out->bytes(error.message());
    out->bytes(error.field());
    out->bytes(error.hint());
    out->bytes(error.reason() == code ? std::string_view() : error.reason());
    out->varint(error.context().size());
    for (const auto& [key, value] : error.context()) {
        out->bytes(key);
        out->bytes(value);
    }
}

Error decode_error(Decoder* in) {
    const std::string_view code = in->bytes();
    const auto table = error_table();
    const auto known = std::ranges::find(table, code, &ErrorInfo::name);
    Error error(known == table.end() ? ErrorCode::kInternal : known->code,
                std::string(in->bytes()));
    std::move(error).with_field(in->bytes());
    std::move(error).with_hint(in->bytes());
    const std::string_view reason = in->bytes();
    if (!reason.empty()) std::move(error).with_reason(reason);
    const std::size_t count = in->count(2);
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        const std::string_view key = in->bytes();
        error.with(key, in->bytes());
    }
    if (in->failed()) return Error(ErrorCode::kCorruption, "error of another node: malformed");
    if (known == table.end()) error.with("code_there", code);
    return error;
}

}  // namespace tidal::cluster
