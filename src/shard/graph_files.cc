#include "shard/internal/graph_files.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "base/crc32c.h"

namespace tidal::shard {
namespace {

constexpr std::size_t kNameDigits = 10;
constexpr std::string_view kSuffix = ".graph", kBegun = ".graph.tmp";
constexpr std::size_t kReadBytes = 1 << 20;
/// Synced one by one, so that no other file's sync waits for more.
constexpr std::size_t kPieceBytes = 8 << 20;

/// Whatever its name says of it beside the number.
std::optional<std::uint64_t> parse_name(std::string_view name) {
    if (name.size() < kNameDigits) return std::nullopt;
    const std::string_view suffix = name.substr(kNameDigits);
    if (suffix != kSuffix && suffix != kBegun) return std::nullopt;
    std::uint64_t number = 0;
    const char* const end = name.data() + kNameDigits;
    const auto [stop, problem] = std::from_chars(name.data(), end, number);
    if (problem != std::errc() || stop != end || number == 0) return std::nullopt;
    return number;
}

Error damaged(std::string_view what) {
    return Error(ErrorCode::kCorruption, "graph of vectors: " + std::string(what));
}

std::shared_ptr<const char> part_of(const std::shared_ptr<const runtime::MappedFile>& file,
                                    std::size_t from) {
    return {file, file->bytes().data() + from};
}

vector::RowBlocks::File rows_of(const std::shared_ptr<const runtime::MappedFile>& file,
                                const vector::GraphFileLayout& layout) {
    const auto leave = [mapped = file.get()](const char* from, std::size_t size) {
        mapped->leave(static_cast<std::size_t>(from - mapped->bytes().data()), size);
    };
    return {part_of(file, layout.rows), layout.bytes - layout.rows, leave};
}

vector::GraphHead with_shape(vector::GraphHead head, const vector::Graph& graph) {
    head.shape = graph.shape();
    head.seed = graph.seed();
    return head;
}

/// By reads, whose errors are no signals as those of mapped memory are.
Result<std::uint32_t> checksum(runtime::File& file, std::uint64_t from) {
    std::string piece(kReadBytes, '\0');
    std::uint32_t crc = 0;
    for (;;) {
        TIDAL_ASSIGN(const std::size_t got, file.read_at(from, piece));
        crc = crc32c_extend(crc, std::string_view(piece).substr(0, got));
        from += got;
        if (got < piece.size()) return crc;
    }
}

}  // namespace

std::string GraphFiles::path(std::uint64_t number) const {
    char name[32];
    std::snprintf(name, sizeof name, "%010llu", static_cast<unsigned long long>(number));
    return directory + "/" + name + std::string(kSuffix);
}

Result<std::vector<std::uint64_t>> GraphFiles::list() const {
    TIDAL_ASSIGN(const auto names, runtime::list_if_there(*disk, directory));
    std::vector<std::uint64_t> out;
    for (const std::string& name : names)
        if (const auto number = parse_name(name)) out.push_back(*number);
    return out;
}

Result<GraphFiles::Found> GraphFiles::open(std::uint64_t number) const {
    TIDAL_ASSIGN(const auto file, disk->open(path(number), runtime::OpenMode::kRead));
    TIDAL_ASSIGN(const std::uint64_t size, file->size());
    std::string head(vector::kGraphHeadBytes, '\0');
    TIDAL_ASSIGN(const std::size_t got, file->read_at(0, head));
    head.resize(got);
    Found out;
    TIDAL_ASSIGN(out.head, vector::decode_graph_head(head));
    const vector::GraphFileLayout layout(out.head);
    if (out.head.shard != shard || out.head.number != number || out.head.shape.nodes == 0 ||
        size != layout.bytes)
        return damaged("not the one of this place");
    TIDAL_ASSIGN(const std::uint32_t crc, checksum(*file, vector::kGraphHeadBytes));
    if (crc != out.head.bytes_crc) return damaged("its bytes are damaged");
    TIDAL_ASSIGN(auto mapped, file->map());
    if (mapped->bytes().size() != size) return damaged("it changes while it is opened");
    out.bytes = part_of(mapped, vector::kGraphHeadBytes);
    out.rows = rows_of(mapped, layout);
    return out;
}

Result<void> GraphFiles::remove_all_but(std::span<const std::uint64_t> kept) const {
    TIDAL_ASSIGN(const auto names, runtime::list_if_there(*disk, directory));
    for (const std::string& name : names) {
        const auto number = parse_name(name);
        if (!number) continue;
        const bool begun = name.ends_with(kBegun);
        if (!begun && std::ranges::find(kept, *number) != kept.end()) continue;
        TIDAL_TRY(disk->remove(directory + "/" + name));
    }
    return {};
}

GraphFileWriter::GraphFileWriter(const GraphFiles& files, vector::GraphHead head,
                                 std::shared_ptr<const vector::Graph> graph)
    : files_(files),
      head_(with_shape(std::move(head), *graph)),
      graph_(std::move(graph)),
      layout_(head_) {}

bool GraphFileWriter::wants_rows() const {
    return has_graph() && node_ < graph_->size() && rows_.size() < kPieceBytes;
}

void GraphFileWriter::add_rows(const vector::FlatVectors& vectors, std::size_t most) {
    for (; most > 0 && wants_rows(); --most) {
        const Slot slot = graph_->slot_of(node_++);
        if (vectors.has(slot)) {
            rows_ += vectors.stored(slot);
        } else {
            rows_.append(layout_.row_bytes, '\0');
        }
    }
    if (node_ == graph_->size()) rows_.resize(layout_.bytes - written_, '\0');
}

std::string GraphFileWriter::temporary() const {
    return files_.path(head_.number) + ".tmp";
}

Result<bool> GraphFileWriter::step() {
    Result<void> done;
    if (file_ == nullptr) {
        done = begin();
    } else if (written_ < layout_.bytes) {
        done = write_piece();
    } else if (read_ < layout_.bytes) {
        done = read_piece();
    } else {
        done = finish();
        if (done.ok()) return true;
    }
    if (done.ok()) return false;
    file_.reset();
    (void)files_.disk->remove(temporary());  // the first error is the one that tells what happened
    return done.take_error();
}

Result<void> GraphFileWriter::begin() {
    // A leftover of an earlier try is nobody's.
    auto removed = files_.disk->remove(temporary());
    if (!removed.ok() && removed.error().code() != ErrorCode::kNotFound) return removed;
    TIDAL_TRY(expect_room());
    TIDAL_ASSIGN(file_, files_.disk->open(temporary(), runtime::OpenMode::kCreate));
    return {};
}

/// A start without the file costs time; a disk that every try fills to its brim costs writes.
Result<void> GraphFileWriter::expect_room() const {
    const std::uint64_t needed = layout_.bytes + runtime::kFreeForLogBytes;
    TIDAL_ASSIGN(const std::uint64_t free, files_.disk->free_bytes());
    if (needed <= free) return {};
    return Error(ErrorCode::kDiskFull, "no room for the file of a graph of vectors")
        .with("file", files_.path(head_.number))
        .with("bytes_needed", needed)
        .with("bytes_free", free)
        .with_hint("what is needed leaves 256 MiB for the log");
}

Result<void> GraphFileWriter::write_piece() {
    std::string_view piece = rows_;
    if (!has_graph())
        piece = {graph_->parts().bytes.get() + (written_ - vector::kGraphHeadBytes),
                 std::min(kPieceBytes, layout_.rows - written_)};
    TIDAL_TRY(file_->write_at(written_, piece));
    head_.bytes_crc = crc32c_extend(head_.bytes_crc, piece);
    written_ += piece.size();
    rows_.clear();
    return file_->sync();
}

/// For the checksum, before searches read it where it is mapped. Mostly from the kernel's cache:
/// what a medium made of it shows at a start.
Result<void> GraphFileWriter::read_piece() {
    std::string piece(std::min(kPieceBytes, layout_.bytes - read_), '\0');
    TIDAL_ASSIGN(const std::size_t got, file_->read_at(read_, piece));
    read_ += piece.size();
    read_crc_ = crc32c_extend(read_crc_, piece);
    if (got == piece.size() && (read_ < layout_.bytes || read_crc_ == head_.bytes_crc)) return {};
    return damaged("not what was written").with("file", files_.path(head_.number));
}

Result<void> GraphFileWriter::finish() {
    TIDAL_TRY(file_->write_at(0, vector::encode_graph_head(head_)));
    TIDAL_TRY(file_->sync());
    TIDAL_TRY(map());
    TIDAL_TRY(files_.disk->rename(temporary(), files_.path(head_.number)));
    return files_.disk->sync_directory(files_.directory);
}

Result<void> GraphFileWriter::map() {
    TIDAL_ASSIGN(const auto mapped, file_->map());
    if (mapped->bytes().size() != layout_.bytes) return damaged("it changes while it is written");
    mapped_ = graph_->in_file(part_of(mapped, vector::kGraphHeadBytes));
    mapped_rows_ = rows_of(mapped, layout_);
    return {};
}

}  // namespace tidal::shard
