// Files of graphs of vectors: written on the executor of checkpoints, a piece at a time, once a
// checkpoint has every vector of the graph. So a start finds all of them in its rows, and what the
// log says after that are changes. From then on searches read the file, mapped: links and codes
// at once, vectors a block at a time. What lay in memory goes.
#include <utility>

#include "shard/internal/graph_files.h"
#include "shard/shard.h"

namespace tidal::shard {
namespace {

constexpr std::size_t kRowSliceBytes = 240'000;  // of vectors, in one hold of the monitor
constexpr std::size_t kSliceBlocks = 16;         // likewise, of vectors that are not read

}  // namespace

struct Shard::GraphFiling {
    EntityKind kind = EntityKind::kItem;
    vector::ShardVectors::Unfiled due;  ///< No graph = only what is of no use any more is removed.
    std::uint64_t number = 0;
    std::vector<std::uint64_t> kept;  ///< Files of graphs in use.
    std::unique_ptr<GraphFileWriter> writer;
    std::size_t block = 0;  ///< Of vectors that are read in the file next.
    /// Where they were read: let go outside the monitor.
    std::vector<std::shared_ptr<const char>> before;
    std::optional<Error> failure;
};

/// In the monitor. Old files go once all graphs in their place have one.
void Shard::file_graphs() {
    if (filing_graph_ || replacement_ || options_.state.disk == nullptr || !keeper_->durable() ||
        !state_->configured())
        return;
    auto job = std::make_shared<GraphFiling>();
    bool all_filed = true;
    for (const EntityKind kind : {EntityKind::kItem, EntityKind::kUser, EntityKind::kCreator}) {
        const vector::ShardVectors& vectors = state_->vectors(kind);
        for (vector::ShardVectors::Unfiled& each : vectors.unfiled_graphs()) {
            all_filed = false;
            if (job->due.graph != nullptr || each.index > checkpoint_index_) continue;
            job->kind = kind;
            job->due = std::move(each);
        }
        for (const std::uint64_t number : vectors.graph_files()) job->kept.push_back(number);
    }
    const bool files = job->due.graph != nullptr;
    if (!files && !(all_filed && graph_files_worn_)) return;
    graph_files_worn_ = files;
    filing_graph_ = true;
    if (files) job->number = state_->next_graph_file();
    background_.post([this, job = std::move(job)]() mutable { file_graph_piece(std::move(job)); });
}

/// On the executor of checkpoints.
void Shard::file_graph_piece(GraphFilingPtr job) {
    const GraphFiles files{options_.state.disk, options_.state.directory, options_.state.shard};
    Result<bool> done = true;
    if (job->due.graph == nullptr) {
        if (auto removed = files.remove_all_but(job->kept); !removed.ok())
            done = removed.take_error();
    } else {
        if (job->writer == nullptr)
            job->writer = std::make_unique<GraphFileWriter>(files, head_of(*job), job->due.graph);
        done = job->writer->wants_rows() ? add_graph_rows(*job) : job->writer->step();
    }
    if (done.ok() && !*done) {
        background_.post(
            [this, job = std::move(job)]() mutable { file_graph_piece(std::move(job)); });
        return;
    }
    if (!done.ok()) job->failure = done.take_error();
    executor_.post([this, job = std::move(job)]() mutable { finish_graph_file(std::move(job)); });
}

/// Of vectors, as they are by now, so that a start may find even those that changed since.
bool Shard::add_graph_rows(GraphFiling& job) {
    const std::lock_guard lock(mutex_);
    const vector::FlatVectors& vectors = *state_->vectors(job.kind).find(job.due.spec.id);
    const std::size_t row_bytes =
        vector::FlatVectors::row_bytes(vectors.spec().dimensions, vectors.spec().storage);
    job.writer->add_rows(vectors, kRowSliceBytes / row_bytes + 1);
    return false;
}

vector::GraphHead Shard::head_of(const GraphFiling& job) const {
    const schema::EmbeddingSpec& spec = job.due.spec;
    return {.shard = options_.state.shard,
            .kind = job.kind,
            .slot = spec.id,
            .metric = spec.metric,
            .storage = spec.storage,
            .number = job.number,
            .index = job.due.index,
            .shape = {},
            .seed = 0,
            .bytes_crc = 0};
}

/// What failed is tried again after the next checkpoint.
void Shard::finish_graph_file(GraphFilingPtr job) {
    if (job->failure) {
        graph_files_trouble_.note(*job->failure);
        return end_graph_filing(false);
    }
    graph_files_trouble_.over();
    if (job->due.graph == nullptr) return end_graph_filing(true);
    {
        const std::lock_guard lock(mutex_);
        state_->vectors(job->kind)
            .graphs(job->due.spec.id)
            .filed(*job->due.graph, job->number, job->writer->mapped());
    }
    map_graph_rows(std::move(job));
}

/// Vectors as well, a block at a time.
void Shard::map_graph_rows(GraphFilingPtr job) {
    bool more = false;
    {
        const std::lock_guard lock(mutex_);
        vector::ShardVectors& vectors = state_->vectors(job->kind);
        const EmbeddingSlotId slot = job->due.spec.id;
        if (job->block == 0) job->before = vectors.find(slot)->files();
        more = vectors.map_rows(slot, *job->writer->mapped(), job->writer->mapped_rows(),
                                job->block++);
    }
    if (!more) return end_graph_filing(true);
    executor_.post([this, job = std::move(job)]() mutable { map_graph_rows(std::move(job)); });
}

/// Vectors in files that nobody compared for some time leave the process: they are found again in
/// the kernel's cache, which gives up such pages first.
void Shard::leave_unread_vectors(std::size_t kind, std::size_t block) {
    bool more = true;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || replacing_.load()) return;
        vector::ShardVectors& vectors = state_->vectors(static_cast<EntityKind>(kind));
        for (std::size_t i = 0; i < kSliceBlocks && more; ++i) more = vectors.leave_unread(block++);
    }
    if (!more) {
        block = 0;
        if (++kind == kEntityKindCount) return;
    }
    executor_.post([this, kind, block] { leave_unread_vectors(kind, block); });
}

void Shard::end_graph_filing(bool ok) {
    {
        const std::lock_guard lock(mutex_);
        filing_graph_ = false;
        if (ok) {
            file_graphs();
        } else {
            graph_files_worn_ = true;
        }
    }
    begin_replacement();
    advance_stop();
}

}  // namespace tidal::shard
