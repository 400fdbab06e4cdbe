// Feeds in steps: who takes the next one, and on which thread.
#include <absl/hash/hash.h>

#include "api/database.h"
#include "api/internal/answered.h"
#include "api/internal/highlights.h"
#include "query/feed_run.h"
#include "query/text_run.h"
#include "query/top_views.h"

namespace tidal::api {

/// How one query goes on.
struct FeedPace {
    bool in_turns = false;
    std::uint8_t urgency = kUrgencyDefault;
    QueryGate::Kind kind = 0;
    EntityKind of = EntityKind::kItem;  ///< What is ranked.
    bool begun = false;                 ///< The first step, which needs no pass, is done.
    QueryGate::Pass pass;               ///< Once it needs more.
    bool entered = false;
    bool several = false;  ///< Some run took more than one step: others came in between.
};

namespace {

/// The clock ends a step whose estimates were wrong.
query::StepBudget budget(runtime::Clock& clock) {
    const std::uint64_t until_ns = clock.monotonic_ns() + query::StepBudget::kNanoseconds;
    return query::StepBudget(query::StepBudget::kNanoseconds,
                             [&clock, until_ns] { return clock.monotonic_ns() >= until_ns; });
}

/// What decides whether a query needs more than one step, as far as its text tells.
QueryGate::Kind kind_of(const FeedCall& call) {
    return absl::HashOf(call.kind, call.profile, call.experiment, call.filter, call.facets,
                        call.sort, call.diversity, call.group_by, call.explain);
}

bool is_for_user(const FeedCall& call) {
    return call.user_id.has_value() || call.session != 0;
}

FeedComparison compared(FeedReply left, FeedReply right) {
    FeedComparison out;
    for (const FeedItem& item : left.items)
        for (const FeedItem& other : right.items) {
            if (item.entity.id != other.entity.id) continue;
            ++out.common;
            if (item.rank != other.rank)
                out.moves.push_back({item.entity.id, item.rank, other.rank});
        }
    out.left = std::move(left);
    out.right = std::move(right);
    return out;
}

/// They were made for the log alone.
void forget_explanations(FeedReply* reply) {
    reply->filter.clear();
    reply->sources.clear();
    for (FeedItem& item : reply->items) item.explain = nullptr;
}

}  // namespace

/// What a user hid is never shown again, wherever that was acknowledged: a page for a user goes by
/// all that was before it, also where its reader asked for less (decision 58).
runtime::Task<Result<void>> Database::confirm(bool* confirmed) {
    if (*confirmed) co_return Result<void>();
    runtime::Completion<FenceReply> passed;
    fence({}, {}, CallContext().timeout_ms, passed.completer());
    const Result<FenceReply> reply = co_await passed;
    if (!reply.ok()) co_return Error(reply.error());
    *confirmed = true;
    co_return Result<void>();
}

template <typename Run>
Result<bool> Database::step(shard::Shard& shard, std::uint64_t generation, EntityKind kind,
                            Run* run) {
    bool make_views = false;  // For requests to come.
    auto done = shard.step_with_state(generation, [&](shard::ShardState& state) -> Result<bool> {
        if constexpr (requires { run->step(state.view(kind), query::StepBudget(), nullptr); }) {
            query::TopViews* const views = kind == EntityKind::kItem ? state.item_views() : nullptr;
            auto out = run->step(state.view(kind), budget(runtime_.clock()), views);
            make_views = views != nullptr && views->has_work();
            return out;
        } else {
            return run->step(state.view(kind), budget(runtime_.clock()));
        }
    });
    if (make_views) shard.make_views();
    return done;
}

template <typename Run>
runtime::Task<Result<void>> Database::run_steps(shard::Shard* shard, Run* run, FeedPace* pace) {
    const std::uint64_t generation = shard->generation();
    for (;;) {
        if (pace->in_turns && pace->begun && !pace->entered) {
            gate_->learn(pace->kind, true);
            auto entry = gate_->enter(pace->urgency);
            TIDAL_CO_ASSIGN(pace->pass, co_await entry);
            pace->entered = true;
        }
        if (pace->in_turns) {
            auto turn = pace->begun ? shard->turns().next() : shard->turns().first();
            TIDAL_CO_TRY(co_await turn);
        }
        ++query_steps_;
        TIDAL_CO_ASSIGN(const bool done, step(*shard, generation, pace->of, run));
        pace->begun = true;
        if (done) co_return Result<void>();
        pace->several = true;
    }
}

/// What every shard knows of the words of a search, or of what they may have meant.
runtime::Task<Result<void>> Database::gather_texts(bool typos, query::FeedPlan* plan,
                                                   FeedPace* pace) {
    std::vector<text::Statistics> of_shards;
    for (std::size_t id = 1; id < shards_.size(); ++id) {
        query::TextRun run(*plan, typos);
        auto steps = run_steps(shards_[id].get(), &run, pace);
        TIDAL_CO_TRY(co_await std::move(steps));
        of_shards.push_back(run.take());
    }
    query::merge_texts(of_shards, typos, plan);
    co_return Result<void>();
}

runtime::Task<Result<void>> Database::list_sources(bool typos, query::FeedPlan* plan,
                                                   FeedPace* pace) {
    std::vector<std::vector<query::SourceList>> of_shards;
    if (!typos) plan->ann_traces.resize(plan->sources.size());
    for (std::size_t id = 1; id < shards_.size(); ++id) {
        query::SourcesRun run(*plan, typos);
        auto steps = run_steps(shards_[id].get(), &run, pace);
        TIDAL_CO_TRY(co_await std::move(steps));
        for (std::size_t source = 0; !typos && source < run.ann_traces().size(); ++source)
            plan->ann_traces[source] += run.ann_traces()[source];
        if (plan->text) (typos ? plan->text->typo_trace : plan->text->trace) += run.text_trace();
        of_shards.push_back(run.take());
    }
    typos ? merge_typos(of_shards, plan) : merge_sources(of_shards, plan);
    co_return Result<void>();
}

/// The page of every shard, all of one moment: a later one than was planned where writes since
/// then have moved a view on.
runtime::Task<Result<void>> Database::rank_pages(query::FeedPlan* plan, FeedPace* pace,
                                                 std::vector<query::ShardPage>* pages) {
    constexpr int kMomentsMax = 3;
    pages->reserve(shards_.size() - 1);
    for (int moment = 1;; ++moment) {
        UnixMillis behind_ms = 0;
        for (std::size_t id = 1; id < shards_.size() && behind_ms == 0; ++id) {
            // Not once a shard was looked at in steps: that would be for nothing.
            query::FeedRun run(*plan, moment < kMomentsMax && !pace->several);
            auto steps = run_steps(shards_[id].get(), &run, pace);
            TIDAL_CO_TRY(co_await std::move(steps));
            behind_ms = run.behind_ms();
            pages->push_back(run.take());
        }
        if (behind_ms == 0) co_return Result<void>();
        plan->now_ms = behind_ms;
        pages->clear();
    }
}

runtime::Task<Result<FeedReply>> Database::feed_task(FeedCall* call, bool in_turns,
                                                     query::TextMode mode, bool shown) {
    FeedPace pace{.in_turns = in_turns,
                  .urgency = call->urgency,
                  .kind = kind_of(*call),
                  .of = call->kind,
                  .pass = {}};
    if (is_for_user(*call) && cluster_ != nullptr) {
        auto confirmed = confirm(&call->confirmed);
        TIDAL_CO_TRY(co_await std::move(confirmed));
    }
    FeedReply reply;
    if (in_turns) {
        std::uint64_t delay_ns = 0;
        for (std::size_t id = 1; id < shards_.size(); ++id)
            delay_ns = std::max(delay_ns, shards_[id]->turns().delay_ns());
        TIDAL_CO_ASSIGN(reply.degradation, gate_->admit(call->urgency, delay_ns, pace.kind));
    }
    TIDAL_CO_TRY(name_user_of_session(call));
    Result<query::FeedPlan> planned = plan_call(*call, mode, &reply);
    if (!planned.ok()) co_return planned.take_error();
    query::FeedPlan& plan = *planned;
    const bool counted = shown && plan.daily_cap;
    const std::uint64_t page = counted ? page_number(*call) : 0;
    if (counted) {
        TIDAL_CO_TRY(read_cap(*call, page, &plan, &reply));
        if (plan.limit == 0) co_return std::move(reply);
    }
    if (plan.text) {
        auto gathered = gather_texts(false, &plan, &pace);
        TIDAL_CO_TRY(co_await std::move(gathered));
    }
    if (plan.text && mode == query::TextMode::kGuess) {
        auto gathered = gather_texts(true, &plan, &pace);
        TIDAL_CO_TRY(co_await std::move(gathered));
    }
    if (plan.has_lists()) {
        auto listed = list_sources(false, &plan, &pace);
        TIDAL_CO_TRY(co_await std::move(listed));
    }
    if (query::wants_typos(plan)) {
        auto gathered = gather_texts(true, &plan, &pace);
        TIDAL_CO_TRY(co_await std::move(gathered));
        auto listed = list_sources(true, &plan, &pace);
        TIDAL_CO_TRY(co_await std::move(listed));
    }
    std::vector<query::ShardPage> pages;
    auto ranked = rank_pages(&plan, &pace, &pages);
    TIDAL_CO_TRY(co_await std::move(ranked));
    if (in_turns && !pace.entered) gate_->learn(pace.kind, false);
    TIDAL_CO_TRY(
        finish_feed(plan, std::move(pages), !pace.several, !call->highlight.empty(), &reply));
    add_highlights(*call, plan, *schema(), &reply);
    if (call->query && mode == query::TextMode::kSearch && call->cursor.empty() &&
        call->kind == EntityKind::kItem && !reply.items.empty())
        recent_queries_.add(*call->query, runtime_.clock().wall_ms());
    if (counted) {
        { const auto gone = std::move(pace.pass); }  // Others need not wait for the log.
        auto delivered = deliver(&plan, call->limit, page, &reply);
        TIDAL_CO_TRY(co_await std::move(delivered));
    }
    if (call->log_impressions || counted) {
        auto logged = log_impressions(call, &reply);
        co_await std::move(logged);
    }
    if (!call->explain) forget_explanations(&reply);
    co_return std::move(reply);
}

runtime::Task<Result<FeedComparison>> Database::compare_task(FeedCall call,
                                                             std::string other_profile) {
    if (is_for_user(call) && cluster_ != nullptr) {
        auto confirmed = confirm(&call.confirmed);
        TIDAL_CO_TRY(co_await std::move(confirmed));
    }
    FeedCall other = call;
    auto left_task = feed_task(&call, true, query::TextMode::kSearch, false);
    TIDAL_CO_ASSIGN(FeedReply left, co_await std::move(left_task));
    other.experiment.clear();
    other.profile = std::move(other_profile);
    auto right_task = feed_task(&other, true, query::TextMode::kSearch, false);
    Result<FeedReply> right = co_await std::move(right_task);
    if (!right.ok() && right.error().field() == "profile")
        co_return right.take_error().with_field("with");
    if (!right.ok()) co_return right.take_error();
    co_return compared(std::move(left), std::move(*right));
}

Result<FeedReply> Database::feed(const FeedCall& call) {
    FeedCall own = call;
    return runtime::sync_wait(feed_task(&own, false, query::TextMode::kSearch));
}

runtime::Task<void> Database::answer_feed(std::unique_ptr<FeedCall> call, FeedDone done) {
    auto task = feed_task(call.get(), true, query::TextMode::kSearch);
    Result<FeedReply> reply = co_await std::move(task);
    done(std::move(reply));
}

void Database::feed(FeedCall call, FeedDone done) {
    runtime::spawn(answer_feed(std::make_unique<FeedCall>(std::move(call)), std::move(done)));
}

void Database::compare(FeedCall call, std::string other_profile, ComparisonDone done) {
    runtime::spawn(answered<FeedComparison>(compare_task(std::move(call), std::move(other_profile)),
                                            std::move(done)));
}

}  // namespace tidal::api
