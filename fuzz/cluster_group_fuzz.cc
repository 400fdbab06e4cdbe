// Any bytes as what groups keep: terms and votes, a batch of entries, a control batch, and the
// description of a snapshot half received. What is read is written again as the same.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "cluster/group_batches.h"
#include "cluster/group_recovery.h"
#include "cluster/internal/snapshot_files.h"
#include "runtime/sim_disk.h"

namespace {

using namespace tidal;
using namespace tidal::cluster;

void require(bool holds) {
    if (!holds) std::abort();
}

void read_batch(std::string_view payload, std::uint16_t flags, std::uint32_t count) {
    wal::BatchHeader header;
    header.region = kFirstRegion;
    header.shard = ShardId(1);
    header.incarnation = Incarnation(1);
    header.flags = flags;
    header.term = Term(3);
    header.first_index = LogIndex(7);
    header.count = count;
    if (const auto batch = group_batch_of(header, payload); batch.ok() && !batch->base) {
        require(batch->entries.size() == count);
        HybridTime stamp;
        const auto again = batches_of({header.shard, header.incarnation}, kFirstRegion,
                                      batch->entries, {}, &stamp, wal::kBatchPayloadBytesMax);
        require(again.size() == 1 && again[0].header.count == count);
        const auto twice = group_batch_of(again[0].header, again[0].payload);
        require(twice.ok() && twice->entries.size() == count);
        for (std::uint32_t i = 0; i < count; ++i)
            require(twice->entries[i].bytes() == batch->entries[i].bytes() &&
                    twice->entries[i].kind == batch->entries[i].kind);
    }
    GroupRecovery recovery;
    recovery.add_group({header.shard, header.incarnation},
                       raft::DurableState::base(LogIndex(6), Term(2), {}));
    if (recovery.visit(header, payload).ok()) (void)recovery.finish().ok();
}

void read_description(std::string_view bytes) {
    const raft::GroupKey group{ShardId(1), Incarnation(1)};
    runtime::SimDisk disk;
    SnapshotFiles files(disk, "snapshots");
    require(disk.create_directories("snapshots").ok());
    const std::string part = files.path(group, 1);
    require(runtime::write_file(disk, part, "some bytes").ok());
    std::string description(bytes);
    const std::uint32_t crc = crc32c(description);
    description.append(reinterpret_cast<const char*>(&crc), 4);
    require(runtime::write_file(disk, part + ".meta", description).ok());
    const auto partial = files.recover(group, 4);
    require(partial.ok());
    if (*partial) require((*partial)->bytes <= (*partial)->meta.bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto states = decode_states(input); states.ok())
        require(*decode_states(encode_states(*states)) == *states);
    for (const std::uint32_t count : {1u, 2u, 3u}) {
        read_batch(input, 0, count);
        read_batch(input, wal::kBatchControl, count);
    }
    read_description(input);
    return 0;
}
