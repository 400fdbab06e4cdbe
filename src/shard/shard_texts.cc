// Files of indexed texts: made on the executor of checkpoints, after one that leaves many changed
// texts behind the old file, or after a start that found none.
#include <utility>

#include "shard/internal/text_files.h"
#include "shard/shard.h"

namespace tidal::shard {

/// In the monitor. @return whether file_texts() is to run, which reads what this leaves.
bool Shard::plan_texts() {
    if (filing_texts_ || !keeper_->durable()) return false;
    texts_due_ = state_->texts_due();
    texts_schema_ = state_->schema();
    filing_texts_ = !texts_due_.empty();
    return filing_texts_;
}

/// On the executor of checkpoints.
void Shard::file_texts() {
    const ShardState::Options& options = options_.state;
    const TextFiles files{options.disk, options.directory, options.shard};
    std::vector<ShardState::TextsDue> filed;
    for (const ShardState::TextsDue& due : texts_due_) {
        auto renewed = renew_text_file(files, due.kind, *texts_schema_, *store_,
                                       durable_place_.index, runtime_.random().u64());
        if (renewed.ok()) {
            filed.push_back(due);
        } else {
            texts_trouble_.note(renewed.error());
        }
    }
    if (filed.size() == texts_due_.size()) texts_trouble_.over();
    executor_.post([this, filed = std::move(filed)]() mutable { finish_texts(std::move(filed)); });
}

void Shard::finish_texts(std::vector<ShardState::TextsDue> filed) {
    {
        const std::lock_guard lock(mutex_);
        for (const ShardState::TextsDue& each : filed) state_->texts_filed(each);
        filing_texts_ = false;
    }
    begin_replacement();
    advance_stop();
}

}  // namespace tidal::shard
