// http/experiment_counts.h: counts of what came of experiments, one after the other, each in turns
// between which exports go on.
#pragma once

#include <absl/functional/any_invocable.h>

#include <deque>
#include <memory>

#include "api/database.h"
#include "runtime/runtime.h"

namespace tidal::http {

/// What is counted holds some memory, what waits hardly any. Threads: add() is called from any.
/// Lifetime: the executor is stopped before this ends; what is not answered then is not answered.
class ExperimentCounts {
public:
    ExperimentCounts(api::Database& database, runtime::Executor& executor)
        : database_(database), executor_(executor) {}

    using Done = absl::AnyInvocable<void(Result<api::ExperimentResults>)>;
    /// `done` runs on the executor.
    void add(std::shared_ptr<api::ExperimentCount> count, Done done);

private:
    void take_turn();

    struct Asked {
        std::shared_ptr<api::ExperimentCount> count;
        Done done;
    };
    api::Database& database_;
    runtime::Executor& executor_;
    std::deque<Asked> asked_;  ///< The first is counted. Touched on the executor alone.
};

}  // namespace tidal::http
