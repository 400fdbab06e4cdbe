// SimDisk: lives, faults and counting. What a crash does to contents and names is in
// internal/sim_inode.cc and internal/sim_names.cc; the operations of a life in sim_disk_ops.cc.
#include "runtime/sim_disk.h"

#include <algorithm>

#include "runtime/internal/sim_names.h"

namespace tidal::runtime {

using internal::SectorFate;
using internal::SimNames;

std::string_view disk_op_name(DiskOp op) {
    constexpr std::string_view kNames[] = {
        "read",          "create", "write",  "sync",
        "truncate",      "rename", "remove", "create_directories",
        "sync_directory"};
    return kNames[static_cast<std::size_t>(op)];
}

SimDisk::SimDisk(const SimDiskOptions& options)
    : options_(options),
      names_(std::make_unique<SimNames>()),
      random_(options.seed),
      capacity_bytes_(options.capacity_bytes) {}

SimDisk::~SimDisk() = default;

Result<void> SimDisk::check_alive(Life life, std::string_view path) const {
    if (life == life_ && !dead_) return {};
    return Error(ErrorCode::kIo, "the simulated node has crashed").with("path", path);
}

void SimDisk::note_op(DiskOp op, std::string_view path) {
    ++op_counts_[static_cast<std::size_t>(op)];
    trace_.add(static_cast<std::uint64_t>(op));
    trace_.add(path);
}

std::optional<Error> SimDisk::begin(Life life, DiskOp op, std::string_view path, bool* perform) {
    *perform = false;
    if (auto alive = check_alive(life, path); !alive) return alive.take_error();
    note_op(op, path);
    if (op != DiskOp::kRead && ++mutating_ops_ == crash_at_) {
        dead_ = true;
        // The effect of a sync is to lose nothing: within it, anything may still be lost.
        // Everything else happens without being synced, which covers "not at all".
        *perform = op != DiskOp::kSync && op != DiskOp::kSyncDirectory &&
                   (op != DiskOp::kCreateDirectories || random_.below(2) == 0);
        if (observer_.died) observer_.died();
        return Error(ErrorCode::kIo, "the simulated node crashed here").with("path", path);
    }
    if (auto fault = injected_fault(op, path)) return fault;
    *perform = true;
    if (op == DiskOp::kRead)
        charge(options_.read_ns);
    else
        charge(op == DiskOp::kSync || op == DiskOp::kSyncDirectory ? options_.sync_ns
                                                                   : options_.write_ns);
    return std::nullopt;
}

std::optional<Error> SimDisk::injected_fault(DiskOp op, std::string_view path) {
    std::optional<Error> found;
    for (auto& fault : faults_) {
        const bool same_op = fault.op ? *fault.op == op : op != DiskOp::kRead;
        if (!same_op || path.find(fault.path_contains) == std::string_view::npos) continue;
        if (fault.nth > 1) {
            --fault.nth;
        } else if (fault.times > 0 && !found) {
            --fault.times;
            found = Error(fault.code, std::string(disk_op_name(op)) + " failed: injected fault")
                        .with("path", path);
        }
    }
    std::erase_if(faults_, [](const DiskFault& fault) { return fault.times == 0; });
    return found;
}

void SimDisk::charge(std::uint64_t ns) {
    if (ns > 0 && observer_.charge) observer_.charge(ns);
}

void SimDisk::set_crash_after(std::uint64_t n) {
    const auto lock = enter();
    crash_at_ = n == 0 ? 0 : mutating_ops_ + n;
}

void SimDisk::die() {
    const auto lock = enter();
    if (dead_) return;
    dead_ = true;
    if (observer_.died) observer_.died();
}

bool SimDisk::dead() const {
    const auto lock = enter();
    return dead_;
}

void SimDisk::crash(const CrashSpec& spec) {
    const auto lock = enter();
    if (!dead_ && observer_.died) observer_.died();
    // A killed process takes nothing with it: what it did not sync can still be lost later.
    if (spec.keep != CrashSpec::Keep::kAll) {
        SectorFate fate(spec, options_.seed ^ mutating_ops_);
        names_ = names_->survive(fate, SimNames::Copy::kTake);
    }
    ++life_;
    dead_ = false;
    crash_at_ = 0;
    locks_.clear();
    trace_.add(life_);
}

std::unique_ptr<SimDisk> SimDisk::survivor(const CrashSpec& spec) const {
    const auto lock = enter();
    auto out = std::make_unique<SimDisk>(options_);
    SectorFate fate(spec, options_.seed ^ mutating_ops_);
    out->names_ = names_->survive(fate, SimNames::Copy::kAlways);
    out->capacity_bytes_ = capacity_bytes_;
    return out;
}

void SimDisk::add_fault(DiskFault fault) {
    const auto lock = enter();
    faults_.push_back(std::move(fault));
}

void SimDisk::clear_faults() {
    const auto lock = enter();
    faults_.clear();
}

void SimDisk::set_capacity(std::uint64_t bytes) {
    const auto lock = enter();
    capacity_bytes_ = bytes;
}

Result<void> SimDisk::flip_bit(std::string_view path, std::uint64_t offset, unsigned bit) {
    const auto lock = enter();
    const auto inode = names_->find(path);
    if (!inode) return Error(ErrorCode::kNotFound, "no such file").with("path", path);
    if (offset >= inode->data().size() || bit > 7)
        return Error(ErrorCode::kInvalidArgument, "no such bit")
            .with("path", path)
            .with("offset", offset);
    inode->flip(offset, bit);
    trace_.add(offset * 8 + bit);
    return {};
}

std::uint64_t SimDisk::mutating_ops() const {
    const auto lock = enter();
    return mutating_ops_;
}

std::uint64_t SimDisk::op_count(DiskOp op) const {
    const auto lock = enter();
    return op_counts_[static_cast<std::size_t>(op)];
}

std::uint64_t SimDisk::used_bytes() const {
    const auto lock = enter();
    return names_->used_bytes();
}

std::uint64_t SimDisk::unsynced_sectors() const {
    const auto lock = enter();
    return names_->unsynced_sectors();
}

std::uint64_t SimDisk::content_hash() const {
    const auto lock = enter();
    TraceHash hash;
    names_->add_to_hash(&hash);
    return hash.value();
}

std::uint64_t SimDisk::trace_hash() const {
    const auto lock = enter();
    return trace_.value();
}

std::uint64_t SimDisk::attach_observer(Observer observer) {
    const auto lock = enter();
    observer_ = std::move(observer);
    return ++observer_number_;
}

void SimDisk::detach_observer(std::uint64_t number) {
    const auto lock = enter();
    if (number == observer_number_) observer_ = {};
}

}  // namespace tidal::runtime
