#include "http/experiment_counts.h"

namespace tidal::http {
namespace {

constexpr std::size_t kAskedMax = 16;

}  // namespace

void ExperimentCounts::add(std::shared_ptr<api::ExperimentCount> count, Done done) {
    executor_.post([this, count = std::move(count), done = std::move(done)]() mutable {
        if (asked_.size() >= kAskedMax)
            return done(Error(ErrorCode::kOverloaded, "too many experiments are being counted")
                            .with("waiting_max", kAskedMax)
                            .with_hint("ask again when one of them is answered"));
        asked_.push_back({std::move(count), std::move(done)});
        if (asked_.size() == 1) take_turn();
    });
}

void ExperimentCounts::take_turn() {
    auto results = database_.count_on(*asked_.front().count);
    if (!results.ok() || *results) {
        Asked counted = std::move(asked_.front());
        asked_.pop_front();
        counted.done(results.ok() ? Result<api::ExperimentResults>(std::move(**results))
                                  : results.take_error());
        if (asked_.empty()) return;
    }
    executor_.post([this] { take_turn(); });
}

}  // namespace tidal::http
