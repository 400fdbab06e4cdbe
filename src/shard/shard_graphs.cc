// Graphs of vectors: copied in the monitor in slices, linked on an executor of their own, put in
// place in the monitor. One at a time; searches go on with what there is.
#include <utility>

#include "shard/shard.h"
#include "vector/graph_build.h"

namespace tidal::shard {
namespace {

constexpr std::size_t kSliceComponents = 60'000;  // about 200 us inside the monitor
constexpr std::size_t kLinkedAtOnce = 64;         // some 50 ms, for which a stop may have to wait

}  // namespace

struct Shard::GraphJob {
    std::uint64_t generation = 0;  ///< Of the state that it is of.
    EntityKind kind = EntityKind::kItem;
    EmbeddingSlotId slot;
    std::size_t vectors_at_once = 0;
    LogIndex index;  ///< Of the newest record applied when the last vector was copied.
    std::unique_ptr<vector::GraphBuild> build;
    std::optional<Error> failure;
};

/// nullptr = nothing to do. The caller goes on outside the monitor.
Shard::GraphJobPtr Shard::begin_graph_locked() {
    if (options_.graphs == nullptr || making_graph_ || stopping_) return nullptr;
    for (const EntityKind kind : {EntityKind::kItem, EntityKind::kUser, EntityKind::kCreator}) {
        vector::ShardVectors& vectors = state_->vectors(kind);
        const auto slot = vectors.wants_graph(options_.state.graph_vectors_min);
        if (!slot) continue;
        auto job = std::make_shared<GraphJob>();
        job->generation = generation_.load();
        job->kind = kind;
        job->slot = *slot;
        const vector::FlatVectors& flat = *vectors.find(*slot);
        job->vectors_at_once = kSliceComponents / flat.spec().dimensions + 1;
        job->build = vectors.graphs(*slot).begin_build(flat, runtime_.random().u64());
        making_graph_ = true;
        return job;
    }
    return nullptr;
}

void Shard::copy_graph_slice(GraphJobPtr job) {
    if (replacing_.load()) {
        executor_.post_after(kReplacingNs, [this, job = std::move(job)]() mutable {
            copy_graph_slice(std::move(job));
        });
        return;
    }
    bool complete = false;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || job->generation != generation_.load()) {
            making_graph_ = false;
            return;
        }
        complete =
            job->build->copy(*state_->vectors(job->kind).find(job->slot), job->vectors_at_once);
        job->index = state_->applied();
    }
    if (complete) {
        options_.graphs->post(
            [this, job = std::move(job)]() mutable { link_graph_slice(std::move(job)); });
    } else {
        executor_.post(
            [this, job = std::move(job)]() mutable { copy_graph_slice(std::move(job)); });
    }
}

void Shard::link_graph_slice(GraphJobPtr job) {
    auto done = job->build->link(kLinkedAtOnce);
    if (!done.ok()) job->failure = done.take_error();
    if (job->failure || *done) {
        executor_.post([this, job = std::move(job)]() mutable { publish_graph(std::move(job)); });
    } else {
        options_.graphs->post(
            [this, job = std::move(job)]() mutable { link_graph_slice(std::move(job)); });
    }
}

void Shard::publish_graph(GraphJobPtr job) {
    if (replacing_.load()) {
        executor_.post_after(kReplacingNs, [this, job = std::move(job)]() mutable {
            publish_graph(std::move(job));
        });
        return;
    }
    if (job->failure) {
        graph_trouble_.note(*job->failure);
    } else {
        graph_trouble_.over();
    }
    std::vector<std::shared_ptr<const vector::Graph>> replaced;
    {
        const std::lock_guard lock(mutex_);
        making_graph_ = false;
        if (job->generation != generation_.load()) return;
        replaced = state_->vectors(job->kind).graphs(job->slot).finish_build(
            job->failure ? vector::BuiltGraph() : job->build->take(), job->index);
        graph_files_worn_ = true;  // Where nothing is left of its vectors, no file follows.
        file_graphs();
    }
    // Writes need not wait for their memory to be given back either.
    options_.graphs->post([job = std::move(job), replaced = std::move(replaced)] {});
}

}  // namespace tidal::shard
