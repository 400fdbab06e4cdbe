// How the catalogue changes: what a change refers to is there when it is written.
#include <algorithm>

#include "api/database.h"
#include "api/forward.h"

namespace tidal::api {
namespace {

// Between two rounds, so that doors whose changes met do not meet again.
constexpr std::uint64_t kPauseNsMin = 1'000'000, kPauseNsMax = 8'000'000;

}  // namespace

struct Database::ChangeUnderWay {
    bool dry_run = false;
    std::uint64_t deadline_ns = 0;
    MakeChange make;
    CatalogDone done;
};

void Database::change_catalog(bool dry_run, MakeChange make, CatalogDone done) {
    auto change = std::make_shared<ChangeUnderWay>();
    change->dry_run = dry_run;
    change->deadline_ns =
        runtime_.clock().monotonic_ns() + CallContext().timeout_ms * std::uint64_t{1'000'000};
    change->make = std::move(make);
    change->done = std::move(done);
    change_catalog(std::move(change));
}

/// What the change is checked against is at least as new as the stamp that it carries, and the
/// metadata shard takes it only while nothing is newer than that stamp. Of changes that meet one is
/// taken, so that the others come nearer with each round. All rounds share the time of the call.
void Database::change_catalog(std::shared_ptr<ChangeUnderWay> change) {
    const std::uint64_t left_ms = time_left_ms(change->deadline_ns);
    auto checked = [this, change = std::move(change)](Result<void> fenced) mutable {
        if (!fenced.ok()) return change->done(fenced.take_error());
        publish_if_changed();
        const HybridTime since = published_catalog();
        auto made = change->make();
        if (!made.ok()) return change->done(made.take_error());
        if (change->dry_run)
            return change->done(CatalogReply{made->body.name, made->body.version, false,
                                             std::move(made->warnings)});
        made->body.since = since;
        const std::uint64_t deadline_ns = change->deadline_ns;
        put_catalog(std::move(made->body), std::move(made->warnings), deadline_ns,
                    [this, change = std::move(change)](Result<CatalogReply> reply) mutable {
                        const bool met = !reply.ok() &&
                                         reply.error().reason() == shard::kCatalogChanged &&
                                         runtime_.clock().monotonic_ns() < change->deadline_ns;
                        if (!met) return change->done(std::move(reply));
                        const std::uint64_t pause_ns =
                            kPauseNsMin + runtime_.random().below(kPauseNsMax - kPauseNsMin);
                        executors_.front()->post_after(
                            pause_ns, [this, change = std::move(change)]() mutable {
                                change_catalog(std::move(change));
                            });
                    });
    };
    with_newest_catalog(std::move(checked), left_ms);
}

HybridTime Database::published_catalog() const {
    const std::lock_guard lock(mutex_);
    return published_.catalog;
}

std::uint64_t Database::time_left_ms(std::uint64_t deadline_ns) const {
    const std::uint64_t now_ns = runtime_.clock().monotonic_ns();
    const std::uint64_t left_ns = std::max(deadline_ns, now_ns) - now_ns;
    return std::max<std::uint64_t>(left_ns / 1'000'000, 1);
}

void Database::put_catalog(record::CatalogBody body, std::vector<std::string> warnings,
                           CatalogDone done) {
    const std::uint64_t deadline_ns =
        runtime_.clock().monotonic_ns() + CallContext().timeout_ms * std::uint64_t{1'000'000};
    put_catalog(std::move(body), std::move(warnings), deadline_ns, std::move(done));
}

void Database::put_catalog(record::CatalogBody body, std::vector<std::string> warnings,
                           std::uint64_t deadline_ns, CatalogDone done) {
    CatalogReply reply{body.name, body.version, false, std::move(warnings)};
    Proposal proposal;
    proposal.concern = concern_of({});
    proposal.records.emplace_back().body = std::move(body);
    route(std::move(proposal), time_left_ms(deadline_ns),
          [this, deadline_ns, reply = std::move(reply),
           done = std::move(done)](Result<std::vector<shard::Outcome>> outcomes) mutable {
              if (!outcomes.ok()) return done(outcomes.take_error());
              const shard::Outcome& outcome = outcomes->front();
              if (!outcome.ok()) return done(Error(*outcome.refused));
              reply.created = outcome.created;
              shards_[0]->when_applied(outcome.index, time_left_ms(deadline_ns),
                                       [this, reply = std::move(reply),
                                        done = std::move(done)](Result<void> applied) mutable {
                                           if (!applied.ok()) return done(applied.take_error());
                                           publish_catalog();
                                           done(std::move(reply));
                                       });
          });
}

}  // namespace tidal::api
