#include "http/content_coding.h"

#include <zlib.h>
#include <zstd.h>

#include <cassert>
#include <charconv>
#include <new>

namespace tidal::http {
namespace {

// RFC 8878 asks receivers for 8 MiB and lets them refuse more.
constexpr int kZstdWindowLogMax = 23;
// Replies are packed on an I/O thread: speed counts more than the last few percent.
constexpr int kZstdLevel = 3;
constexpr int kZstdWindowLog = 18;
constexpr int kGzipLevel = 1;
// zlib's way of saying: 32 KiB window, gzip header and checksum.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kZlibMemoryLevel = 8;
// Below this a packed reply saves less than it costs.
constexpr std::size_t kPackedBytesMin = 1024;
constexpr std::size_t kDecodedPieceBytes = 64 * 1024;
constexpr std::size_t kEncodedPieceBytes = 16 * 1024;

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool is_gzip(std::string_view name) {
    return equal_ignoring_case(name, "gzip") || equal_ignoring_case(name, "x-gzip");
}

Error malformed(Coding coding) {
    return Error(ErrorCode::kInvalidArgument,
                 "the body is not what Content-Encoding says: " + std::string(coding_name(coding)))
        .with_reason("malformed_content")
        .with_field("Content-Encoding");
}

void mark_packed(Coding coding, Response* response) {
    const std::string name(coding_name(coding));
    for (Header& header : response->headers)
        if (equal_ignoring_case(header.name, "ETag") && header.value.ends_with('"'))
            header.value.insert(header.value.size() - 1, "-" + name);
    response->headers.push_back({"Content-Encoding", name});
    response->headers.push_back({"Vary", "Accept-Encoding"});
}

/// "gzip;q=0.5" -> 0.5; 1 where it says nothing, 0 where it is no number.
double weight_of(std::string_view parameters) {
    const std::string_view text = trim(parameters);
    if (text.empty()) return 1;
    if (text.size() < 3 || (text[0] != 'q' && text[0] != 'Q') || text[1] != '=') return 0;
    double weight = 0;
    const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), weight);
    return error == std::errc() && end == text.data() + text.size() && weight <= 1 ? weight : 0;
}

class GzipDecoder final : public Decoder {
public:
    GzipDecoder() {
        if (inflateInit2(&stream_, kGzipWindowBits) != Z_OK) throw std::bad_alloc();
    }
    ~GzipDecoder() override { inflateEnd(&stream_); }

    void feed(std::string bytes) override {
        assert(stream_.avail_in == 0);
        input_ = std::move(bytes);
        stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
        stream_.avail_in = static_cast<uInt>(input_.size());
    }

    Result<std::string> next(std::size_t bytes_max) override {
        std::string out(bytes_max, '\0');
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = static_cast<uInt>(bytes_max);
        while (stream_.avail_out > 0 && (stream_.avail_in > 0 || full_)) {
            // A body may be several gzip members, one behind the other.
            if (at_end_ && inflateReset(&stream_) != Z_OK) return malformed(Coding::kGzip);
            at_end_ = false;
            const int result = inflate(&stream_, Z_NO_FLUSH);
            full_ = stream_.avail_out == 0 && result == Z_OK;
            if (result == Z_STREAM_END)
                at_end_ = true;
            else if (result == Z_BUF_ERROR)
                break;
            else if (result != Z_OK)
                return malformed(Coding::kGzip);
        }
        out.resize(bytes_max - stream_.avail_out);
        return out;
    }
    bool at_end() const override { return at_end_ && stream_.avail_in == 0; }

private:
    z_stream stream_{};
    std::string input_;
    bool full_ = false;  ///< The last piece was full: there may be more without further input.
    bool at_end_ = false;
};

class ZstdDecoder final : public Decoder {
public:
    ZstdDecoder() : context_(ZSTD_createDCtx()) {
        if (context_ == nullptr) throw std::bad_alloc();
        ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kZstdWindowLogMax);
    }
    ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

    void feed(std::string bytes) override {
        assert(in_.pos == in_.size);
        input_ = std::move(bytes);
        in_ = {input_.data(), input_.size(), 0};
    }

    Result<std::string> next(std::size_t bytes_max) override {
        std::string out(bytes_max, '\0');
        ZSTD_outBuffer buffer{out.data(), out.size(), 0};
        while (buffer.pos < buffer.size && (in_.pos < in_.size || full_)) {
            const std::size_t left = ZSTD_decompressStream(context_, &buffer, &in_);
            if (ZSTD_isError(left)) return malformed(Coding::kZstd);
            at_end_ = left == 0;
            full_ = buffer.pos == buffer.size && left != 0;
        }
        out.resize(buffer.pos);
        return out;
    }
    bool at_end() const override { return at_end_ && in_.pos == in_.size; }

private:
    ZSTD_DCtx* const context_;
    std::string input_;
    ZSTD_inBuffer in_{nullptr, 0, 0};
    bool full_ = false;
    bool at_end_ = false;
};

class GzipEncoder final : public Encoder {
public:
    GzipEncoder() {
        if (deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, kGzipWindowBits, kZlibMemoryLevel,
                         Z_DEFAULT_STRATEGY) != Z_OK)
            throw std::bad_alloc();
    }
    ~GzipEncoder() override { deflateEnd(&stream_); }

    std::string encode(std::string_view bytes, Flush flush) override {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        stream_.avail_in = static_cast<uInt>(bytes.size());
        std::string out;
        do {
            const std::size_t had = out.size();
            out.resize(had + kEncodedPieceBytes);
            stream_.next_out = reinterpret_cast<Bytef*>(out.data() + had);
            stream_.avail_out = kEncodedPieceBytes;
            deflate(&stream_, flush == Flush::kEnd ? Z_FINISH : Z_SYNC_FLUSH);
            out.resize(out.size() - stream_.avail_out);
        } while (stream_.avail_out == 0);
        return out;
    }

private:
    z_stream stream_{};
};

class ZstdEncoder final : public Encoder {
public:
    ZstdEncoder() : context_(ZSTD_createCCtx()) {
        if (context_ == nullptr) throw std::bad_alloc();
        ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, kZstdLevel);
        ZSTD_CCtx_setParameter(context_, ZSTD_c_windowLog, kZstdWindowLog);
    }
    ~ZstdEncoder() override { ZSTD_freeCCtx(context_); }

    std::string encode(std::string_view bytes, Flush flush) override {
        ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
        std::string out;
        for (;;) {
            const std::size_t had = out.size();
            out.resize(had + kEncodedPieceBytes);
            ZSTD_outBuffer buffer{out.data() + had, kEncodedPieceBytes, 0};
            const std::size_t left = ZSTD_compressStream2(
                context_, &buffer, &in, flush == Flush::kEnd ? ZSTD_e_end : ZSTD_e_flush);
            if (ZSTD_isError(left)) throw std::bad_alloc();  // the one way it fails
            out.resize(had + buffer.pos);
            if (left == 0) return out;
        }
    }

private:
    ZSTD_CCtx* const context_;
};

}  // namespace

std::string_view coding_name(Coding coding) {
    static constexpr std::string_view kNames[] = {"identity", "gzip", "zstd"};
    return kNames[static_cast<std::size_t>(coding)];
}

Result<Coding> content_coding(const Headers& headers) {
    const std::string_view name = headers.find("Content-Encoding").value_or("identity");
    if (headers.count("Content-Encoding") < 2) {
        if (name.empty() || equal_ignoring_case(name, "identity")) return Coding::kIdentity;
        if (is_gzip(name)) return Coding::kGzip;
        if (equal_ignoring_case(name, "zstd")) return Coding::kZstd;
    }
    return Error(ErrorCode::kUnsupportedMedia,
                 "unknown content encoding '" + std::string(name.substr(0, 100)) + "'")
        .with_reason("unknown_encoding")
        .with_field("Content-Encoding")
        .with_hint("gzip or zstd, one of them, or none");
}

Coding accepted_coding(const Headers& headers) {
    const auto accept = headers.find("Accept-Encoding");
    if (!accept) return Coding::kIdentity;
    double gzip = -1, zstd = -1, identity = -1, any = -1;
    for (std::size_t at = 0; at <= accept->size();) {
        const std::size_t comma = std::min(accept->find(',', at), accept->size());
        const std::string_view one = accept->substr(at, comma - at);
        at = comma + 1;
        const std::size_t mark = std::min(one.find(';'), one.size());
        const std::string_view name = trim(one.substr(0, mark));
        const double weight = weight_of(mark < one.size() ? one.substr(mark + 1) : "");
        if (is_gzip(name)) gzip = weight;
        if (equal_ignoring_case(name, "zstd")) zstd = weight;
        if (equal_ignoring_case(name, "identity")) identity = weight;
        if (name == "*") any = weight;
    }
    if (gzip < 0) gzip = any;
    if (zstd < 0) zstd = any;
    if (zstd > 0 && zstd >= gzip && zstd >= identity) return Coding::kZstd;
    if (gzip > 0 && gzip >= identity) return Coding::kGzip;
    return Coding::kIdentity;
}

std::unique_ptr<Decoder> Decoder::create(Coding coding) {
    assert(coding != Coding::kIdentity);
    if (coding == Coding::kGzip) return std::make_unique<GzipDecoder>();
    return std::make_unique<ZstdDecoder>();
}

Error broken_off(Coding coding) {
    return Error(ErrorCode::kInvalidArgument,
                 "the " + std::string(coding_name(coding)) + " body breaks off")
        .with_reason("malformed_content")
        .with_field("Content-Encoding");
}

Result<std::string> unpack(Coding coding, std::string body, std::size_t bytes_max) {
    const auto decoder = Decoder::create(coding);
    decoder->feed(std::move(body));
    std::string out;
    for (;;) {
        TIDAL_ASSIGN(const std::string piece, decoder->next(kDecodedPieceBytes));
        if (piece.empty()) break;
        out += piece;
        if (out.size() > bytes_max)
            return Error(ErrorCode::kTooLarge, "unpacked, the body is larger than " +
                                                   std::to_string(bytes_max) + " bytes")
                .with("bytes_max", bytes_max)
                .with_hint("send less at once, or a stream of lines");
    }
    if (!decoder->at_end()) return broken_off(coding);
    return out;
}

void pack(Coding coding, Response* response) {
    if (coding == Coding::kIdentity || response->body.size() <= kPackedBytesMin) return;
    std::string packed = Encoder::create(coding)->encode(response->body, Encoder::Flush::kEnd);
    if (packed.size() >= response->body.size()) return;
    response->body = std::move(packed);
    mark_packed(coding, response);
}

std::unique_ptr<Encoder> begin_packing(Coding coding, Response* head) {
    if (coding == Coding::kIdentity) return nullptr;
    mark_packed(coding, head);
    return Encoder::create(coding);
}

std::string_view unpacked_etag(std::string_view etag, std::string* buffer) {
    for (const Coding coding : {Coding::kGzip, Coding::kZstd}) {
        const std::string suffix = "-" + std::string(coding_name(coding)) + "\"";
        if (!etag.ends_with(suffix)) continue;
        *buffer = std::string(etag.substr(0, etag.size() - suffix.size())) + "\"";
        return *buffer;
    }
    return etag;
}

std::unique_ptr<Encoder> Encoder::create(Coding coding) {
    assert(coding != Coding::kIdentity);
    if (coding == Coding::kGzip) return std::make_unique<GzipEncoder>();
    return std::make_unique<ZstdEncoder>();
}

}  // namespace tidal::http
