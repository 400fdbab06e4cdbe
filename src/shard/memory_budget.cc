#include "shard/memory_budget.h"

#include <utility>

namespace tidal::shard {

bool grows(const record::Body& body) {
    struct Grows {
        bool operator()(const record::UpsertBody&) const { return true; }
        bool operator()(const record::EmbeddingBody&) const { return true; }
        bool operator()(const record::RelationshipBody& relates) const {
            // Whom a user wants to see no more goes on as hides do; there are few for each user.
            const bool refuses = relates.kind == record::RelationshipKind::kBlocks ||
                                 relates.kind == record::RelationshipKind::kMutes;
            return !relates.ends && !refuses && !record::is_of_items(relates.kind);
        }
        bool operator()(const record::SavedSearchBody& search) const {
            return search.text.has_value();
        }
        bool operator()(const record::SessionBody& session) const {
            return session.act == record::SessionAct::kOpen;
        }
        // Of the users' states, ledgers, the outbox and collections: budgets of their own.
        bool operator()(const record::SignalBody&) const { return false; }
        bool operator()(const record::SessionSignalBody&) const { return false; }
        bool operator()(const record::CollectionMemberBody&) const { return false; }
        // What takes away.
        bool operator()(const record::UndoBody&) const { return false; }
        bool operator()(const record::SessionUndoBody&) const { return false; }
        bool operator()(const record::DeleteBody&) const { return false; }
        bool operator()(const record::EraseUserBody&) const { return false; }
        // What pages, operators and the node itself need to go on.
        bool operator()(const record::DeliveryBody&) const { return false; }
        bool operator()(const record::CatalogBody&) const { return false; }
        bool operator()(const record::SchemaBody&) const { return false; }
        bool operator()(const record::ShardConfigBody&) const { return false; }
        bool operator()(const record::TickBody&) const { return false; }
        bool operator()(const record::RelayBody&) const { return false; }
        bool operator()(const record::RelayAckBody&) const { return false; }
        bool operator()(const record::ImportMarkBody&) const { return false; }
        bool operator()(const record::ArchiveKeysBody&) const { return false; }
    };
    return std::visit(Grows(), body);
}

MemoryBudget::MemoryBudget(const Options& options, runtime::Runtime& runtime,
                           runtime::Executor& background)
    : options_(options),
      runtime_(runtime),
      background_(background),
      trouble_(options.logger, "writes that need more memory are refused",
               "writes that need more memory are taken again") {}

Result<std::unique_ptr<MemoryBudget>> MemoryBudget::open(const Options& options,
                                                         runtime::Runtime& runtime,
                                                         runtime::Executor& background) {
    TIDAL_TRY(runtime.memory().held_bytes());
    return std::unique_ptr<MemoryBudget>(new MemoryBudget(options, runtime, background));
}

Result<void> MemoryBudget::admit() {
    const std::uint64_t now_ns = runtime_.clock().monotonic_ns();
    // One looks, the others go by what was seen before.
    if (now_ns >= look_at_ns_ && !looking_.exchange(true)) {
        look(now_ns);
        looking_ = false;
    }
    if (!refusing_) return {};
    const std::lock_guard lock(mutex_);
    return why_ ? Result<void>(Error(*why_)) : Result<void>();
}

/// By one at a time. The log is told without the lock: whoever it calls may write.
void MemoryBudget::look(std::uint64_t now_ns) {
    std::optional<Error> why = above(runtime_.memory().held_bytes());
    {
        const std::lock_guard lock(mutex_);
        why_ = why;
        refusing_ = why_.has_value();
    }
    look_at_ns_ = now_ns + kLookNs;
    if (!why) return trouble_.over();
    trouble_.note(*why);
    // One at a time: behind a checkpoint they would pile up.
    if (now_ns < give_back_at_ns_ || giving_back_.exchange(true)) return;
    give_back_at_ns_ = now_ns + kGiveBackNs;
    background_.post([this] {
        runtime_.memory().give_back();
        giving_back_ = false;
    });
}

/// Why growth is refused; nullopt = there is room.
std::optional<Error> MemoryBudget::above(Result<std::uint64_t> held) const {
    if (!held.ok()) return held.take_error();
    if (*held <= options_.bytes_max) return std::nullopt;
    return Error(ErrorCode::kOverloaded,
                 "the process holds as much memory as it may: nothing is taken that needs more")
        .with_reason("memory_full")
        .with("held_bytes", *held)
        .with("budget_bytes", options_.bytes_max)
        .with("retry_after_ms", kRetryAfterMs)
        .with_hint(
            "give it more (--memory-mib, of the library OpenOptions::memory_bytes_max); "
            "reads, signals and deletes go on");
}

}  // namespace tidal::shard
