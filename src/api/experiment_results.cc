// What came of an experiment's arms: the join of exports of what was shown, counted instead of
// written out. An impression is counted once its time is over and leaves memory then, so that one
// reading of each log is enough unless very many are open at once.
#include "api/database.h"
#include "api/internal/context_text.h"
#include "api/internal/experiment_count.h"
#include "api/internal/intervals.h"
#include "ranking/source_text.h"

namespace tidal::api {
namespace {

/// Where more are open at once, the log is read again for the rest, as by pages of an export.
constexpr std::size_t kOpenMax = 50'000;
/// Counted at once: who of them was erased is asked of the shards together.
constexpr std::size_t kSettledMax = 2'000;

std::string name_of(const ranking::Experiment& experiment) {
    return experiment.name + "@" + std::to_string(experiment.version);
}

std::optional<std::size_t> arm_of(const ranking::Experiment& experiment, std::string_view profile) {
    for (std::size_t i = 0; i < experiment.arms.size(); ++i)
        if (experiment.arms[i].profile == profile) return i;
    return std::nullopt;
}

/// The profile, of impressions that name the experiment.
auto filter_of(const ExperimentRequest& request, const ranking::Experiment& experiment) {
    return [from_ms = request.from_ms, until_ms = request.until_ms, name = name_of(experiment)](
               const record::Record& record,
               const record::SignalBody& body) -> std::optional<std::string> {
        const UnixMillis at_ms = record.envelope.event_time_ms;
        if ((from_ms && at_ms < *from_ms) || (until_ms && at_ms >= *until_ms) ||
            context_text(body.context, "experiment") != name)
            return std::nullopt;
        return std::string(context_text(body.context, "profile").value_or(""));
    };
}

void add(const JoinedImpression& shown, UnixMillis known_ms, ArmCount* arm) {
    arm->users.add(*shown.item.user_id);
    ++arm->impressions;
    if (shown.until_ms > known_ms) ++arm->open;
    if (shown.positive) ++arm->positive;
    arm->reward += shown.item.reward;
    arm->reward_squared += shown.item.reward * shown.item.reward;
}

ArmResults results_of(const ranking::ExperimentArm& arm, const ArmCount& count) {
    ArmResults out;
    out.profile = arm.profile;
    out.weight = arm.weight;
    out.users = count.users.count();
    out.impressions = count.impressions;
    out.open = count.open;
    out.positive = count.positive;
    if (count.impressions == 0) return out;
    const auto impressions = static_cast<double>(count.impressions);
    out.ctr = static_cast<double>(count.positive) / impressions;
    out.ctr_interval = wilson_interval(count.positive, count.impressions);
    out.reward = count.reward / impressions;
    out.reward_interval = mean_interval(count.impressions, count.reward, count.reward_squared);
    return out;
}

ExperimentResults results_of(const ExperimentCount& count) {
    ExperimentResults out;
    out.experiment = name_of(count.experiment);
    out.within_ms = count.options.within_ms;
    for (std::size_t i = 0; i < count.arms.size(); ++i)
        out.arms.push_back(results_of(count.experiment.arms[i], count.arms[i]));
    out.other_impressions = count.others;
    return out;
}

}  // namespace

/// @param name  "spring" (its newest version) or "spring@1".
Result<ranking::Experiment> Database::find_experiment(const std::string& name) {
    const auto entries = shards_[0]->with_state([](shard::ShardState& state) {
        return state.catalog().entries(record::CatalogKind::kExperiment);
    });
    std::optional<ranking::Experiment> found;
    for (const shard::CatalogEntry& entry : entries) {  // by name and version
        auto experiment = ranking::parse_experiment(entry.text);
        if (!experiment.ok()) continue;  // of a version of the program that knew more words
        if (entry.name == name || name_of(*experiment) == name) found = std::move(*experiment);
    }
    if (found) return std::move(*found);
    std::vector<std::string_view> names;
    for (const shard::CatalogEntry& entry : entries)
        if (names.empty() || names.back() != entry.name) names.push_back(entry.name);
    return Error(ErrorCode::kNotFound, "no experiment `" + name + "`")
        .with_field("name")
        .with_reason("unknown_experiment")
        .with_hint(ranking::suggestion(name, "experiments", names));
}

Result<std::shared_ptr<ExperimentCount>> Database::begin_count(const ExperimentRequest& request) {
    TIDAL_TRY(check_exportable());
    TIDAL_ASSIGN(ranking::Experiment experiment, find_experiment(request.name));
    TIDAL_ASSIGN(ShownJoinOptions options, join_options(request.within_ms));
    options.keep = filter_of(request, experiment);
    options.limit = kOpenMax;
    auto count = std::make_shared<ExperimentCount>(ExportPosition(shards_.size() - 1));
    count->arms.resize(experiment.arms.size());
    count->experiment = std::move(experiment);
    count->options = std::move(options);
    count->gaps = request.gaps;
    return count;
}

void Database::count_settled(ExperimentCount* count, UnixMillis known_ms) {
    drop_erased(&count->settled);
    for (const JoinedImpression& each : count->settled) {
        const auto arm = arm_of(count->experiment, each.item.context);
        if (arm && each.item.user_id)
            add(each, known_ms, &count->arms[*arm]);
        else
            ++count->others;
    }
    count->settled.clear();
}

Result<std::optional<ExperimentResults>> Database::count_on(ExperimentCount& count) {
    TIDAL_ASSIGN(const auto exporting, begin_export());
    if (cluster_ != nullptr && !count.gaps) TIDAL_TRY(check_whole(count.position.next));
    const ShardId at = count.position.at;
    if (!count.join) count.join.emplace(join_at(count.options, count.position));
    const UnixMillis known_ms = known_through(at);
    const auto keep = [&](std::vector<JoinedImpression> settled) {
        for (JoinedImpression& each : settled) count.settled.push_back(std::move(each));
        if (count.settled.size() >= kSettledMax) count_settled(&count, known_ms);
    };
    LogIndex& next = count.position.next_of(at);
    std::size_t left = count.turn_records;
    TIDAL_TRY(visit_history(at, next, [&](const record::Record& record) {
        if (left == 0) return false;
        keep(count.join->settle(record.envelope.stamp.wall_ms()));
        if (!count.join->take(record)) return false;
        next = record.envelope.index.next();
        --left;
        return true;
    }));
    if (left == 0) return std::optional<ExperimentResults>();
    keep(count.join->finish());
    count_settled(&count, known_ms);
    next = count.join->next();
    if (!count.join->full()) {
        count.position.to_next_shard();
        ++count.shards_read;
    }
    count.join.reset();
    if (count.shards_read + 1 < shards_.size()) return std::optional<ExperimentResults>();
    return std::optional(results_of(count));
}

Result<ExperimentResults> Database::experiment_results(const ExperimentRequest& request) {
    TIDAL_ASSIGN(const auto count, begin_count(request));
    while (true) {
        TIDAL_ASSIGN(auto results, count_on(*count));
        if (results) return std::move(*results);
    }
}

}  // namespace tidal::api
