#include "transfer/tar_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tidal::transfer {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kExtendedBytesMax = 64 * 1024;

struct FieldAt {
    std::size_t offset, size;
};
constexpr FieldAt kName{0, 100}, kSize{124, 12}, kChecksum{148, 8};
constexpr std::size_t kTypeAt = 156, kMagicAt = 257;

std::string_view text_of(std::string_view header, FieldAt field) {
    const std::string_view text = header.substr(field.offset, field.size);
    return text.substr(0, std::min(text.find('\0'), text.size()));
}

/// Octal digits between spaces; or, with the first bit set, a big-endian number (GNU).
std::optional<std::uint64_t> number_of(std::string_view header, FieldAt field) {
    std::string_view text = header.substr(field.offset, field.size);
    std::uint64_t number = 0;
    if (static_cast<unsigned char>(text[0]) == 0x80) {
        for (const char c : text.substr(1)) {
            if (number > TarReader::kFileBytesMax) return std::nullopt;
            number = number << 8 | static_cast<unsigned char>(c);
        }
        return number;
    }
    text = text_of(header, field);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    text = text.substr(0, text.find(' '));
    if (text.empty()) return std::nullopt;
    for (const char c : text) {
        if (c < '0' || c > '7') return std::nullopt;
        number = number << 3 | static_cast<std::uint64_t>(c - '0');
    }
    return number;
}

/// Every byte added up, those of the sum itself as spaces.
std::uint64_t checksum_of(std::string_view header) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < header.size(); ++i) {
        const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
        sum += own ? ' ' : static_cast<unsigned char>(header[i]);
    }
    return sum;
}

/// An extended header says what the next one cannot; times and owners in it do not matter here.
bool changes_name_or_size(std::string_view pax) {
    return pax.find(" path=") != std::string_view::npos ||
           pax.find(" size=") != std::string_view::npos;
}

}  // namespace

Result<void> TarReader::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        if (state_ == State::kEnd) return {};
        const std::uint64_t want = state_ == State::kHeader ? kBlock - header_.size() : left_;
        const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(want, bytes.size()));
        const std::string_view piece = bytes.substr(0, take);
        bytes.remove_prefix(take);
        offset_ += take;
        if (state_ == State::kHeader) {
            header_ += piece;
            if (header_.size() == kBlock) TIDAL_TRY(read_header());
            continue;
        }
        left_ -= take;
        if (state_ == State::kFile) TIDAL_TRY(handler_.on_bytes(piece));
        if (state_ == State::kSkip && !header_.empty()) header_ += piece;
        if (left_ == 0) TIDAL_TRY(end_of_file());
    }
    return {};
}

Result<void> TarReader::finish() {
    if (state_ == State::kEnd || (state_ == State::kHeader && header_.empty() && offset_ > 0))
        return {};
    return damaged(offset_ == 0 ? "an empty archive" : "the archive is cut off");
}

Result<void> TarReader::read_header() {
    const std::string header = std::exchange(header_, {});
    if (header.find_first_not_of('\0') == std::string::npos) {
        state_ = State::kEnd;
        return {};
    }
    const auto sum = number_of(header, kChecksum);
    if (std::string_view(header).substr(kMagicAt, 5) != "ustar" || sum != checksum_of(header))
        return damaged("not a header of a tar archive");
    const auto size = number_of(header, kSize);
    if (!size || *size > kFileBytesMax) return damaged("a size that cannot be");
    const char type = header[kTypeAt];
    left_ = *size;
    padding_ = (kBlock - *size % kBlock) % kBlock;
    if (type == '0' || type == '\0') {
        std::string_view name = text_of(header, kName);
        name.remove_prefix(name.rfind('/') + 1);  // npos + 1 = 0
        if (name.empty()) return damaged("a file without a name");
        state_ = State::kFile;
        TIDAL_TRY(handler_.on_file(name, *size));
    } else if (type == '5' || type == 'x' || type == 'g') {
        state_ = State::kSkip;
        if (type == 'x') header_ = "x";  // its text is looked at when it is whole
        if (type == 'x' && *size > kExtendedBytesMax) return damaged("a long extended header");
    } else {
        return damaged("a link or a special file");
    }
    return left_ == 0 ? end_of_file() : Result<void>();
}

Result<void> TarReader::end_of_file() {
    if (state_ == State::kFile) TIDAL_TRY(handler_.on_file_end());
    if (state_ == State::kSkip && changes_name_or_size(header_))
        return damaged("a name or a size in an extended header");
    header_.clear();
    left_ = state_ == State::kPadding ? 0 : padding_;
    state_ = left_ > 0 ? State::kPadding : State::kHeader;
    return {};
}

Error TarReader::damaged(const char* what) const {
    return Error(ErrorCode::kInvalidArgument, what)
        .with("offset", offset_)
        .with_hint("`tar --format=ustar -c FILES`, with names of at most 100 bytes");
}

}  // namespace tidal::transfer
