// How the catalogue changes: what a change refers to is there when it is written.
#include "api/database.h"
#include "api/forward.h"

namespace tidal::api {

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
/// taken, so that the others come nearer with each round.
void Database::change_catalog(std::shared_ptr<ChangeUnderWay> change) {
    with_newest_catalog([this, change = std::move(change)](Result<void> fenced) mutable {
        if (!fenced.ok()) return change->done(fenced.take_error());
        publish_if_changed();
        const HybridTime since = published_catalog();
        auto made = change->make();
        if (!made.ok()) return change->done(made.take_error());
        if (change->dry_run)
            return change->done(CatalogReply{made->body.name, made->body.version, false,
                                             std::move(made->warnings)});
        made->body.since = since;
        put_catalog(std::move(made->body), std::move(made->warnings),
                    [this, change = std::move(change)](Result<CatalogReply> reply) mutable {
                        if (!reply.ok() && reply.error().reason() == shard::kCatalogChanged &&
                            runtime_.clock().monotonic_ns() < change->deadline_ns)
                            return change_catalog(std::move(change));
                        change->done(std::move(reply));
                    });
    });
}

HybridTime Database::published_catalog() const {
    const std::lock_guard lock(mutex_);
    return published_.catalog;
}

void Database::put_catalog(record::CatalogBody body, std::vector<std::string> warnings,
                           CatalogDone done) {
    CatalogReply reply{body.name, body.version, false, std::move(warnings)};
    Proposal proposal;
    proposal.concern = concern_of({});
    proposal.records.emplace_back().body = std::move(body);
    route(std::move(proposal), CallContext().timeout_ms,
          [this, reply = std::move(reply),
           done = std::move(done)](Result<std::vector<shard::Outcome>> outcomes) mutable {
              if (!outcomes.ok()) return done(outcomes.take_error());
              const shard::Outcome& outcome = outcomes->front();
              if (!outcome.ok()) return done(Error(*outcome.refused));
              reply.created = outcome.created;
              shards_[0]->when_applied(outcome.index, CallContext().timeout_ms,
                                       [this, reply = std::move(reply),
                                        done = std::move(done)](Result<void> applied) mutable {
                                           if (!applied.ok()) return done(applied.take_error());
                                           publish_catalog();
                                           done(std::move(reply));
                                       });
          });
}

}  // namespace tidal::api
