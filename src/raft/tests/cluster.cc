#include "raft/tests/cluster.h"

#include <algorithm>
#include <cassert>

#include "base/codec.h"
#include "base/hash.h"

namespace tidal::raft {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    std::uint64_t z = (a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2)));
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

void Machine::apply(const Entry& entry) {
    assert(entry.index == index.next());
    index = entry.index;
    chain = mix(chain, entry.index.value());
    chain = mix(chain, entry.term.value());
    chain = mix(chain, static_cast<std::uint64_t>(entry.kind));
    for (const char c : entry.bytes()) chain = mix(chain, static_cast<unsigned char>(c));
}

std::string snapshot_bytes(const Machine& machine) {
    Encoder out;
    out.u64(machine.index.value());
    out.u64(machine.chain);
    std::string bytes = out.take();
    for (std::uint64_t i = 0; i < 20 + machine.index.value() % 50; ++i)
        bytes.push_back(static_cast<char>('a' + mix(machine.chain, i) % 26));
    return bytes;
}

Machine machine_of(const std::string& snapshot) {
    Decoder in(snapshot);
    Machine machine;
    machine.index = LogIndex(in.u64());
    machine.chain = in.u64();
    assert(snapshot_bytes(machine) == snapshot);  // every chunk arrived in its place
    return machine;
}

Term Disk::term_at(LogIndex index) const {
    if (index == base) return base_term;
    if (index < base || index > last()) return Term(0);
    return entries[distance(base, index) - 1].term;
}

void Disk::write(const Entry& entry) {
    assert(entry.index > base && entry.index <= last().next());
    entries.resize(distance(base, entry.index) - 1);
    entries.push_back(entry);
}

Result<std::vector<Entry>> Replica::read(LogIndex from, LogIndex last, std::size_t bytes_max) {
    assert(from > disk.base && last <= disk.last());
    std::vector<Entry> out;
    std::size_t bytes = 0;
    for (LogIndex i = from; i <= last; i = i.next()) {
        const Entry& entry = disk.entries[distance(disk.base, i) - 1];
        bytes += entry.cost();
        if (bytes > bytes_max && !out.empty()) break;
        out.push_back(entry);
    }
    return out;
}

void Cluster::add(const Options& options, const Configuration& configuration) {
    Replica& replica = replicas_[options.self];
    replica.options = options;
    replica.disk.base_configuration = configuration;
}

void Cluster::start(PeerId id) {
    Replica& replica = at(id);
    Disk& disk = replica.disk;
    auto state = DurableState::base(disk.base, disk.base_term, disk.base_configuration);
    for (const Entry& entry : disk.entries) {
        const auto added = state.add(entry);
        assert(added.ok());
    }
    state.hard = disk.hard;
    if (forget_votes) state.hard = {state.terms.back().term, kNobody};
    state.applied = disk.checkpoint.index;
    state.partial = disk.partial;
    state.partial_bytes = disk.partial_bytes.size();
    replica.machine = disk.checkpoint;
    Options options = replica.options;
    options.seed += 1000 * replica.starts++;
    auto node = Node::create(options, std::move(state), replica);
    assert(node.ok());
    replica.node = std::move(*node);
    turn(id);
}

void Cluster::crash(PeerId id, std::size_t writes_kept, std::size_t entries_kept) {
    Replica& replica = at(id);
    for (std::size_t i = 0; i < replica.writes.size() && i <= writes_kept; ++i)
        finish(replica.disk, replica.writes[i],
               i < writes_kept ? replica.writes[i].entries.size() : entries_kept);
    replica.writes.clear();
    replica.install.reset();
    replica.node.reset();
}

void Cluster::finish(Disk& disk, const Write& write, std::size_t entries_max) {
    if (write.hard) disk.hard = *write.hard;
    for (std::size_t i = 0; i < std::min(entries_max, write.entries.size()); ++i)
        disk.write(write.entries[i]);
    if (entries_max < write.entries.size()) return;
    for (const ChunkToStore& chunk : write.chunks) {
        if (chunk.offset == 0) disk.partial_bytes.clear();
        disk.partial = chunk.meta;
        assert(disk.partial_bytes.size() == chunk.offset);
        disk.partial_bytes += *chunk.data;
    }
}

bool Cluster::sync(PeerId id) {
    Replica& replica = at(id);
    if (!replica.node || replica.writes.empty()) return false;
    const Write write = std::move(replica.writes.front());
    replica.writes.pop_front();
    finish(replica.disk, write, write.entries.size());
    if (!report_early) replica.node->persisted(write.number);
    turn(id);
    return true;
}

bool Cluster::install(PeerId id) {
    Replica& replica = at(id);
    if (!replica.node || !replica.install || !replica.writes.empty()) return false;
    const SnapshotMeta meta = *replica.install;
    replica.install.reset();
    Disk& disk = replica.disk;
    assert(disk.partial && disk.partial->id == meta.id && disk.partial_bytes.size() == meta.bytes);
    replica.machine = disk.checkpoint = machine_of(disk.partial_bytes);
    assert(replica.machine.index == meta.index);
    disk.base = meta.index;
    disk.base_term = meta.term;
    disk.base_configuration = meta.configuration;
    disk.entries.clear();
    disk.partial.reset();
    disk.partial_bytes.clear();
    disk.snapshots.clear();
    replica.node->snapshot_installed();
    observer_.on_install(id, replica.machine);
    turn(id);
    return true;
}

void Cluster::compact(PeerId id, LogIndex index) {
    Replica& replica = at(id);
    Disk& disk = replica.disk;
    index = std::min({index, replica.machine.index, disk.last()});
    disk.checkpoint = replica.machine;
    if (index <= disk.base) return;
    const Configuration configuration = replica.node->configuration_at(index);
    const Term term = disk.term_at(index);
    disk.entries.erase(
        disk.entries.begin(),
        disk.entries.begin() + static_cast<std::ptrdiff_t>(distance(disk.base, index)));
    disk.base = index;
    disk.base_term = term;
    disk.base_configuration = configuration;
    replica.node->compact(index);
}

void Cluster::turn(PeerId id) {
    Replica& replica = at(id);
    while (replica.node) {
        Ready ready = replica.node->take_ready();
        observer_.on_ready(id, ready);
        if (ready.empty()) break;
        if (ready.snapshot_wanted) offer(replica);
        for (Message& message : ready.messages) post(replica, std::move(message));
        for (const ReadState& read : ready.reads) observer_.on_read(id, read);
        apply(replica, ready);
        submit(replica, ready);
        if (ready.install) {
            replica.install = ready.install;
            if (!replica.disk_slow) {
                install(id);
                break;
            }
        }
    }
    observer_.on_step(id);
}

void Cluster::submit(Replica& replica, Ready& ready) {
    if (ready.number == 0) return;
    replica.writes.push_back(
        {ready.number, ready.hard_state, std::move(ready.entries), std::move(ready.chunks)});
    if (report_early) replica.node->persisted(ready.number);
    if (replica.disk_slow) return;
    while (!replica.writes.empty()) {
        const Write write = std::move(replica.writes.front());
        replica.writes.pop_front();
        finish(replica.disk, write, write.entries.size());
        if (!report_early) replica.node->persisted(write.number);
    }
}

void Cluster::apply(Replica& replica, const Ready& ready) {
    for (const Entry& entry : ready.committed) {
        replica.machine.apply(entry);
        observer_.on_apply(replica.options.self, entry, replica.machine);
    }
    if (!ready.committed.empty()) replica.node->applied(ready.committed.back().index);
}

void Cluster::offer(Replica& replica) {
    const Machine& machine = replica.machine;
    const std::string bytes = snapshot_bytes(machine);
    SnapshotMeta meta{.id = mix(machine.index.value(), machine.chain),
                      .index = machine.index,
                      .term = replica.node->term_at(machine.index),
                      .bytes = bytes.size(),
                      .configuration = replica.node->configuration_at(machine.index)};
    replica.disk.snapshots[meta.id] = bytes;
    const auto offered = replica.node->offer_snapshot(meta);
    assert(offered.ok());
}

void Cluster::post(Replica& replica, Message message) {
    if (auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
        const auto snapshot = replica.disk.snapshots.find(chunk->meta.id);
        if (snapshot == replica.disk.snapshots.end()) {
            replica.node->withdraw_snapshot(chunk->meta.id);
            return;
        }
        chunk->data = make_payload(snapshot->second.substr(chunk->offset, chunk->size));
    }
    observer_.on_send(message);
    network_.push_back(std::move(message));
}

Result<void> Cluster::deliver(const Message& message) {
    const auto found = replicas_.find(message.to);
    if (found == replicas_.end() || !found->second.node) return {};
    if (!connected(message.from, message.to)) return {};
    const auto stepped = found->second.node->step(message);
    turn(message.to);
    return stepped;
}

}  // namespace tidal::raft
