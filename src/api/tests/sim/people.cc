#include "api/tests/sim/people.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace tidal::api {
namespace {

using record::RelationshipKind;

/// Of one nothing is told that has to hold: they are erased, again and again.
constexpr std::uint64_t kUsers = 5, kCritic = 1, kGoer = 5;
constexpr const char* kLanguages[] = {"fr", "de"};
/// More than a ring of what is disliked holds.
constexpr std::uint64_t kItemsBegin = 101, kItemsEnd = 141;
constexpr std::uint64_t kCreatorsBegin = 3, kCreators = 3;
constexpr int kAnyTimes = 1'000;
constexpr std::uint64_t kToldMax = 8;  ///< Of items in a day.
constexpr UnixMillis kDayMs = 86'400'000;
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

/// A cohort is named after its language. The critic has none; who moves does so later.
void People::begin_cohorts() {
    for (const std::string language : kLanguages) {
        const std::string text = "cohort " + language +
                                 " version 1 { tracks like, view, hide; where language = '" +
                                 language + "'; }";
        const auto made = cluster_.wait([&](Database::Done done) {
            cluster_.node(1)->put_cohort(text, false, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
        });
        if (!made.ok()) fail("no cohort: " + made.error().to_string());
    }
    const auto made = cluster_.wait([&](Database::Done done) {
        cluster_.node(1)->put_policy(
            "brief", "per_minute 60\nburst 15\nduration 1s\n", false,
            [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
    });
    if (!made.ok()) fail("no policy: " + made.error().to_string());
    for (std::uint64_t user = kCritic + 1; user <= kUsers; ++user) {
        EntityWrite write;
        write.kind = EntityKind::kUser;
        write.id = user;
        write.metadata = {{"language", kLanguages[user % 2]}};
        cluster_.put(1, std::move(write));
    }
}

void People::begin() {
    begin_cohorts();
    for (std::uint64_t id = kItemsBegin; id < kItemsEnd; ++id)
        cluster_.put(1, item(id, kCreatorsBegin + id % kCreators));
}

void People::begin_telling() {
    const auto profile = cluster_.wait([&](Database::Done done) {
        cluster_.node(1)->put_profile(
            "profile told version 1 { score created_at; cap " + std::to_string(kToldMax) +
                " per day; }",
            false, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
    });
    if (!profile.ok()) fail("no profile: " + profile.error().to_string());
}

std::uint64_t People::any_user() {
    return 1 + below(kUsers);
}
std::uint64_t People::any_item() {
    return kItemsBegin + below(kItemsEnd - kItemsBegin);
}

void People::act(std::uint32_t node) {
    const std::uint64_t dice = below(40);
    if (dice < 18) return send_signals(node);
    if (dice < 21) return undo(node);
    if (dice < 27) return relate(node);
    if (dice < 37) return act_in_session(node);
    if (dice < 39) return move(node);
    erase(node);
}

std::shared_ptr<People::Sent> People::note(std::uint64_t user, std::uint64_t target,
                                           std::string what) {
    auto sent = std::make_shared<Sent>();
    sent->user = user;
    sent->target = target;
    sent->what = std::move(what);
    sent->life = life_;
    sent->number = sent_++;
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
                // What a node says when it is taken down may come when these people are gone.
                if (!reply.ok()) continue;
                ++counts.acknowledged;
                if (sent.promises && sent.life == life_)
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
        sent->promises = sent->what == "hide" && keeps_hides(item) && user != kGoer;
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

/// Of a signal that came, or did not, or comes later; half of them of sessions.
void People::undo(std::uint32_t node) {
    const bool in_session = below(2) == 0;
    Calls lately;
    for (auto sent = keyed_.rbegin(); sent != keyed_.rend() && lately.size() < 40; ++sent)
        if (((*sent)->session != 0) == in_session) lately.push_back(*sent);
    if (lately.empty()) return;
    const auto of = lately[below(lately.size())];
    ++(of->session == 0 ? counts.undos : counts.undos_in_sessions);
    std::vector<Write> writes;
    writes.emplace_back(
        SignalUndo{of->target, of->key, {}, of->session == 0 ? "" : std::to_string(of->session)});
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
    const bool promises =
        relation.kind == RelationshipKind::kHides && keeps_hides(target) && user != kGoer;
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

// --- sessions, cohorts, erasures --------------------------------------------------------------

void People::act_in_session(std::uint32_t node) {
    const std::uint64_t dice = below(8);
    if (sessions_.empty() || dice == 0) return open_session(node);
    if (dice == 2 || dice == 3) return undo(node);
    // Mostly a new one: old ones are over.
    const std::size_t back = 1 + below(std::min<std::size_t>(sessions_.size(), 3));
    Session& session = sessions_[sessions_.size() - back];
    if (dice > 1) return send_in_session(node, session);
    ++counts.closed;
    cluster_.node(node)->close_session(session.id, {}, [](const Result<SessionReply>&) {});
}

void People::open_session(std::uint32_t node) {
    SessionOpen opening;
    const std::uint64_t user = any_user();
    opening.user_id = IdInput(user);
    if (below(2) == 0) opening.policy = "brief";
    CallContext context;
    context.timeout_ms = 500 + below(4000);
    if (below(2) == 0) context.idempotency_key = "visit " + std::to_string(counts.sessions);
    ++counts.sessions;
    cluster_.node(node)->open_session(
        std::move(opening), context, [this, user, life = life_](const Result<SessionReply>& reply) {
            if (reply.ok() && life == life_) sessions_.push_back({reply->id, user, 0});
        });
}

/// One after the other or a few at once; some twice, as by a client that hears nothing, and by way
/// of two nodes.
void People::send_in_session(std::uint32_t node, Session& session) {
    const std::uint64_t count = below(3) == 0 ? 1 + below(6) : 1;
    const UnixMillis now_ms = cluster_.node(node).runtime->clock().wall_ms();
    for (std::uint64_t i = 0; i < count; ++i) {
        const char* const name = signal_name(below(10));
        const std::uint64_t item = any_item();
        const auto sent = note(session.user, item, std::string("in session ") + name);
        sent->promises = std::string(name) == "hide" && keeps_hides(item) && session.user != kGoer;
        SignalWrite write = signal(item, name);
        write.session_id = std::to_string(session.id);
        write.sequence = ++session.sequence;
        if (below(2) == 0) {
            sent->key = "in session " + std::to_string(counts.in_sessions);
            sent->session = session.id;
            write.idempotency_key = sent->key;
            if (!sent->promises) keyed_.push_back(sent);
        }
        write.weight = static_cast<double>(1 + below(8)) / 4;
        if (below(2) == 0) write.at_ms = now_ms - static_cast<UnixMillis>(below(kAgeMsMax));
        ++counts.in_sessions;
        send_numbered(node, write, sent);
        if (below(4) != 0) continue;
        const auto other = std::ranges::find_if(cluster_.nodes(), [&](auto& each) {
            return each.first != node && each.second.alive();
        });
        if (other != cluster_.nodes().end()) send_numbered(other->first, write, sent);
    }
}

/// What is acknowledged as a repeat may be a later number's, which came before it.
void People::send_numbered(std::uint32_t node, const SignalWrite& write,
                           std::shared_ptr<Sent> sent) {
    CallContext context;
    context.timeout_ms = 500 + below(4000);
    std::vector<Write> writes;
    writes.emplace_back(write);
    cluster_.node(node)->write(std::move(writes), context,
                               [this, sent = std::move(sent)](const WriteReplies& replies) {
                                   sent->answered = true;
                                   const Result<WriteReply>& reply = replies.front();
                                   if (!reply.ok() || reply->repeated) return;
                                   sent->acknowledged = true;
                                   ++counts.acknowledged;
                                   if (sent->promises && sent->life == life_)
                                       promised_hides_.emplace_back(sent->user, sent->target);
                               });
}

/// The first two stay what they are.
void People::move(std::uint32_t node) {
    EntityWrite write;
    write.kind = EntityKind::kUser;
    write.id = kCritic + 2 + below(kUsers - kCritic - 1);
    write.metadata = {{"language", kLanguages[below(2)]}};
    ++counts.moves;
    std::vector<Write> writes;
    writes.emplace_back(std::move(write));
    cluster_.node(node)->write(std::move(writes), {}, [](const WriteReplies&) {});
}

void People::erase(std::uint32_t node) {
    ++counts.erasures;
    std::vector<Write> writes;
    writes.emplace_back(EntityDelete{EntityKind::kUser, kGoer, {}});
    cluster_.node(node)->write(std::move(writes), {}, [](const WriteReplies&) {});
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

/// Whatever is asked at once, and whatever dies or is restored in between.
void People::be_told(std::uint32_t node) {
    const std::uint64_t user = 1 + below(kUsers - 1);  // Who is erased is told anew.
    FeedCall call;
    call.profile = "told";
    call.user_id = IdInput(user);
    call.limit = static_cast<std::uint32_t>(1 + below(5));
    const Told before = told_;
    cluster_.node(node)->feed(call, [=, this, life = life_](const Result<FeedReply>& page) {
        if (!page.ok() || life != life_) return;
        ++(page->items.empty() ? counts.told_none : counts.told);
        const std::pair at(user, page->cap->resets_ms / kDayMs);
        const auto known = before.find(at);
        const std::uint64_t told = told_[at] += page->items.size();
        if (told > kToldMax || (known != before.end() && page->cap->delivered < known->second))
            fail("user " + std::to_string(user) + " was told of " + std::to_string(told) +
                 " items in a day, and the page says " + std::to_string(page->cap->delivered));
    });
}

// --- backups ----------------------------------------------------------------------------------

std::shared_ptr<People::Memory> People::remember() const {
    auto out = std::make_shared<Memory>();
    for (const auto& sent : calls_) out->calls.push_back(*sent);
    out->keyed = keyed_;
    out->promised_hides = promised_hides_;
    out->sessions = sessions_;
    out->told = told_;
    return out;
}

void People::doubt_since(Memory* then) const {
    for (std::size_t at = then->calls.size(); at < calls_.size(); ++at) {
        then->calls.push_back(*calls_[at]);
        then->calls.back().acknowledged = false;
    }
}

/// What came after it, and what another past had beside it, was for nothing and may not be there.
void People::go_back(const Memory& to) {
    ++life_;
    Calls calls;
    std::set<std::uint64_t> known;
    for (const Sent& sent : to.calls) {
        calls.push_back(std::make_shared<Sent>(sent));
        known.insert(sent.number);
    }
    for (const auto& sent : calls_) {
        if (known.contains(sent->number)) continue;
        calls.push_back(std::make_shared<Sent>(*sent));
        calls.back()->undone = true;
    }
    calls_ = std::move(calls);
    keyed_ = to.keyed;
    promised_hides_ = to.promised_hides;
    sessions_ = to.sessions;
    told_ = to.told;
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
    if (calls_.size() != sent_)
        fail(std::to_string(sent_) + " calls were sent, of which " + std::to_string(calls_.size()) +
             " are looked for");
    std::map<std::tuple<std::uint64_t, std::uint64_t, std::string>, std::pair<int, int>> bounds;
    for (const auto& sent : calls_) {
        auto& [least, most] = bounds[{sent->user, sent->target, sent->what}];
        if (sent->undone) continue;
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
        for (const Session& session : sessions_)
            if (!model->opened(session.id))
                fail("session " + std::to_string(session.id) + " was answered, and is in no log");
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
