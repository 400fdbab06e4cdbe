#include "api/tests/sim/people.h"

#include <algorithm>
#include <tuple>

namespace tidal::api {
namespace {

using record::RelationshipKind;

constexpr std::uint64_t kUsers = 4, kCritic = 1;
/// More than a ring of what is disliked holds.
constexpr std::uint64_t kItemsBegin = 101, kItemsEnd = 141;
constexpr std::uint64_t kCreatorsBegin = 3, kCreators = 3;
constexpr int kAnyTimes = 1'000;
/// Of what is dated before it is sent.
constexpr std::uint64_t kAgeMsMax = 40 * 86'400'000ULL;

/// What is hidden there stays so: such signals are not taken back, and no relationship ends.
constexpr bool keeps_hides(std::uint64_t item) {
    return item % 2 == 0;
}

/// The first ones are liked and disliked most.
const char* signal_name(std::uint64_t dice) {
    constexpr const char* kNames[] = {"like", "like", "like", "dislike", "dislike",
                                      "skip", "view", "view", "save",    "hide"};
    return kNames[dice % std::size(kNames)];
}

}  // namespace

void People::begin() {
    for (std::uint64_t id = kItemsBegin; id < kItemsEnd; ++id)
        cluster_.put(1, item(id, kCreatorsBegin + id % kCreators));
}

std::uint64_t People::any_user() {
    return 1 + below(kUsers);
}
std::uint64_t People::any_item() {
    return kItemsBegin + below(kItemsEnd - kItemsBegin);
}

void People::act(std::uint32_t node) {
    const std::uint64_t dice = below(10);
    if (dice < 6) return send_signals(node);
    if (dice < 7) return undo(node);
    relate(node);
}

std::shared_ptr<People::Sent> People::note(std::uint64_t user, std::uint64_t target,
                                           std::string what) {
    auto sent = std::make_shared<Sent>();
    sent->user = user;
    sent->target = target;
    sent->what = std::move(what);
    calls_.push_back(sent);
    return sent;
}

void People::write(std::uint32_t node, std::vector<Write> writes, CallContext context,
                   Calls calls) {
    context.timeout_ms = 500 + below(4000);
    cluster_.node(node)->write(
        std::move(writes), context, [this, calls = std::move(calls)](WriteReplies replies) {
            for (std::size_t i = 0; i < calls.size(); ++i) {
                Sent& sent = *calls[i];
                sent.answered = true;
                const Result<WriteReply>& reply = replies.at(i);
                sent.acknowledged = reply.ok();
                sent.refused = !reply.ok() && reply.error().code() == ErrorCode::kUnavailable;
                counts.acknowledged += reply.ok() ? 1 : 0;
                if (reply.ok() && sent.promises)
                    promised_hides_.emplace_back(sent.user, sent.target);
            }
        });
}

void People::act_and_wait(std::uint32_t node) {
    const std::size_t before = calls_.size();
    act(node);
    if (calls_.size() == before) return;
    const auto last = calls_.back();
    if (!cluster_.until([&] { return last->answered; }))
        fail("no answer to `" + last->what + "` once all is well");
}

/// One, or a binge: many of one user in one call, mostly of one kind. One user is hard to please.
void People::send_signals(std::uint32_t node) {
    const std::uint64_t user = any_user();
    const std::uint64_t count = below(2) == 0 ? 1 : 2 + below(kItemsEnd - kItemsBegin);
    const std::uint64_t first = below(kItemsEnd - kItemsBegin);
    const char* const mostly = user == kCritic ? "dislike" : signal_name(below(10));
    CallContext context;
    if (count > 1) context.first_line = 1;
    const UnixMillis now_ms = cluster_.node(node).runtime->clock().wall_ms();
    Calls calls;
    std::vector<Write> writes;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t item = kItemsBegin + (first + i) % (kItemsEnd - kItemsBegin);
        const auto sent = note(user, item, below(4) == 0 ? signal_name(below(10)) : mostly);
        sent->promises = sent->what == "hide" && keeps_hides(item);
        if (below(2) == 0) sent->key = "person " + std::to_string(counts.signals + i);
        if (!sent->key.empty() && !sent->promises) keyed_.push_back(sent);
        SignalWrite write = signal(item, sent->what, sent->key);
        write.user_id = IdInput(user);
        write.weight = static_cast<double>(1 + below(8)) / 4;
        if (below(2) == 0) write.at_ms = now_ms - static_cast<UnixMillis>(below(kAgeMsMax));
        writes.emplace_back(std::move(write));
        calls.push_back(sent);
    }
    counts.signals += count;
    write(node, std::move(writes), context, std::move(calls));
}

/// Of a signal that came, or did not, or comes later.
void People::undo(std::uint32_t node) {
    if (keyed_.empty()) return;
    const auto of = keyed_[keyed_.size() - 1 - below(std::min<std::size_t>(keyed_.size(), 40))];
    ++counts.undos;
    std::vector<Write> writes;
    writes.emplace_back(SignalUndo{of->target, of->key, {}});
    write(node, std::move(writes), {}, {note(of->user, of->target, "undo " + of->key)});
}

void People::relate(std::uint32_t node) {
    RelationshipWrite relation;
    const std::uint64_t user = any_user();
    relation.user_id = IdInput(user);
    relation.kind = static_cast<RelationshipKind>(below(record::kRelationshipKindCount));
    relation.ends = below(3) == 0;
    std::uint64_t target = kCreatorsBegin + below(kCreators);
    if (relation.kind == RelationshipKind::kFriends) target = 1 + user % kUsers;
    if (record::is_of_items(relation.kind)) target = any_item();
    relation.target = IdInput(target);
    const bool promises = relation.kind == RelationshipKind::kHides && keeps_hides(target);
    if (promises) relation.ends = false;
    const std::string name(relationship_name(relation.kind));
    const auto sent = note(user, target, relation.ends ? "no longer " + name : name);
    sent->promises = promises;
    CallContext context;
    if (below(2) == 0) context.idempotency_key = "tie " + std::to_string(counts.relationships);
    sent->may_repeat = context.idempotency_key.empty();
    ++counts.relationships;
    std::vector<Write> writes;
    writes.emplace_back(std::move(relation));
    write(node, std::move(writes), context, {sent});
}

// --- what must hold ---------------------------------------------------------------------------

void People::read(std::uint32_t node) {
    const std::uint64_t user = any_user();
    const std::vector<Pair> promised = promised_hides_;
    Database* const life = cluster_.node(node).database.get();
    life->fence({}, {}, 2'000, [this, user, promised, life](const Result<FenceReply>& passed) {
        if (passed.ok()) fail(without_promised(*life, user, promised));
    });
}

/// Empty, or what of that a page shows all the same.
std::string People::without_promised(Database& database, std::uint64_t user,
                                     const std::vector<Pair>& hidden) {
    FeedCall call;
    call.profile = "new";
    call.user_id = IdInput(user);
    call.limit = 1000;
    call.confirmed = true;  // by the fence before it
    const auto page = database.feed(call);
    if (!page.ok()) return {};
    ++counts.pages;
    for (const FeedItem& shown : page->items)
        if (std::ranges::count(hidden, Pair(user, shown.entity.id.number())) > 0)
            return "user " + std::to_string(user) + " is shown item " +
                   shown.entity.id.to_string() + ", which they hid";
    return {};
}

/// The records of a shard, from whoever has them all.
bool People::read_shard(ShardId shard, PersonalModel* model) {
    for (auto& [number, member] : cluster_.nodes()) {
        if (member.retired || !member.alive()) continue;
        InnerView view(*member);
        const auto whole = view.visit_history(
            shard, [&](const record::Record& record) { model->take(view, shard, record); });
        if (!whole.ok()) fail("a log cannot be read: " + whole.error().to_string());
        if (whole.ok() && *whole) return true;
    }
    return false;
}

/// nullopt = a part of some log is on no member any more.
std::optional<PersonalModel> People::model_of_logs() {
    for (auto& [number, member] : cluster_.nodes()) {
        if (member.retired || !member.alive()) continue;
        PersonalModel model(member->schema());
        const std::uint16_t shards = InnerView(*member).data_shards();
        for (std::uint16_t shard = 1; shard <= shards; ++shard)
            if (!read_shard(ShardId(shard), &model)) return std::nullopt;
        return model;
    }
    return std::nullopt;
}

/// What was acknowledged is in the log, and nothing that was not sent.
void People::check_calls(const PersonalModel& model) {
    std::map<std::tuple<std::uint64_t, std::uint64_t, std::string>, std::pair<int, int>> bounds;
    for (const auto& sent : calls_) {
        auto& [least, most] = bounds[{sent->user, sent->target, sent->what}];
        // The same is taken back once.
        const int least_max = sent->what.starts_with("undo ") ? 1 : least + 1;
        if (sent->acknowledged) least = least_max;
        if (!sent->refused) most += sent->may_repeat ? kAnyTimes : 1;
    }
    for (const auto& [at, range] : bounds) {
        const auto& [user, target, what] = at;
        const std::int64_t seen = model.times(EntityId(user), EntityId(target), what);
        if (seen >= range.first && seen <= range.second) continue;
        fail(std::to_string(seen) + " times `" + what + "` of user " + std::to_string(user) +
             " and " + std::to_string(target) + ", of " + std::to_string(range.first) + " to " +
             std::to_string(range.second));
    }
}

void People::check() {
    const auto model = model_of_logs();
    if (model) {
        ++counts.models;
        counts.compared = model->sizes();
        check_calls(*model);
    }
    for (auto& [number, member] : cluster_.nodes()) {
        if (member.retired) continue;
        for (std::uint64_t user = 1; user <= kUsers; ++user)
            fail(without_promised(*member, user, promised_hides_));
        if (!model) continue;
        const std::string difference = model->difference(*member);
        if (!difference.empty()) fail("unlike the model, at " + member.name + ": " + difference);
    }
}

}  // namespace tidal::api
