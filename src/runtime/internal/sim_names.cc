#include "runtime/internal/sim_names.h"

#include <algorithm>

#include "runtime/internal/path.h"

namespace tidal::runtime::internal {

namespace {

Error no_such(std::string_view what, std::string_view path) {
    return Error(ErrorCode::kNotFound, "no such " + std::string(what)).with("path", path);
}

/// The part of `path` right below `folder`, or empty when it lies elsewhere.
std::string_view child_of(std::string_view path, std::string_view folder) {
    if (!folder.empty()) {
        if (path.size() <= folder.size() + 1 || !path.starts_with(folder) ||
            path[folder.size()] != '/')
            return {};
        path.remove_prefix(folder.size() + 1);
    }
    return path.find('/') == std::string_view::npos ? path : std::string_view{};
}

}  // namespace

SimInodePtr SimNames::find(std::string_view path) const {
    const auto it = live_.find(path);
    return it == live_.end() ? nullptr : it->second;
}

bool SimNames::is_folder(std::string_view path) const {
    return path.empty() || folders_.contains(path);
}

Result<void> SimNames::check_folder_of(std::string_view path) const {
    if (is_folder(folder_of(path))) return {};
    return no_such("folder", folder_of(path));
}

Result<SimInodePtr> SimNames::create(std::string_view path) {
    TIDAL_TRY(check_folder_of(path));
    if (find(path) || is_folder(path))
        return Error(ErrorCode::kConflict, "the name is taken").with("path", path);
    auto inode = std::make_shared<SimInode>();
    live_.emplace(path, inode);
    link(inode);
    unsynced_.push_back({Change::Kind::kCreate, {}, std::string(path), inode});
    return inode;
}

Result<void> SimNames::rename(std::string_view from, std::string_view to) {
    auto inode = find(from);
    if (!inode) {
        if (is_folder(from))
            return Error(ErrorCode::kUnsupported, "a simulated disk does not rename folders")
                .with("path", from);
        return no_such("file", from);
    }
    TIDAL_TRY(check_folder_of(to));
    if (is_folder(to))
        return Error(ErrorCode::kInvalidArgument, "rename onto a folder").with("path", to);
    if (from == to) return {};
    if (auto replaced = find(to)) unlink(replaced);
    live_.erase(live_.find(from));
    live_.insert_or_assign(std::string(to), inode);
    unsynced_.push_back(
        {Change::Kind::kRename, std::string(from), std::string(to), std::move(inode)});
    return {};
}

Result<void> SimNames::remove(std::string_view path) {
    if (folders_.contains(path)) return remove_folder(path);
    auto inode = find(path);
    if (!inode) return no_such("file", path);
    unlink(inode);
    live_.erase(live_.find(path));
    unsynced_.push_back({Change::Kind::kRemove, std::string(path), {}, std::move(inode)});
    return {};
}

Result<void> SimNames::remove_folder(std::string_view path) {
    TIDAL_ASSIGN(const auto names, list(path));
    if (!names.empty())
        return Error(ErrorCode::kConflict, "the folder is not empty").with("path", path);
    TIDAL_TRY(sync_folder(path));
    folders_.erase(folders_.find(path));
    return {};
}

Result<void> SimNames::create_folders(std::string_view path) {
    for (std::size_t end = 0; end < path.size();) {
        end = std::min(path.find('/', end + 1), path.size());
        const auto part = path.substr(0, end);
        if (find(part))
            return Error(ErrorCode::kConflict, "a file has the name of the folder")
                .with("path", part);
        folders_.emplace(part);
    }
    return {};
}

void SimNames::apply(const Change& change, Tree& tree) {
    if (change.kind != Change::Kind::kCreate) {
        // Only while the name still leads to this file: an earlier change may have been lost.
        const auto it = tree.find(change.from);
        if (it != tree.end() && it->second == change.inode) tree.erase(it);
    }
    if (change.kind != Change::Kind::kRemove) tree.insert_or_assign(change.to, change.inode);
}

Result<void> SimNames::sync_folder(std::string_view path) {
    if (!is_folder(path)) return no_such("folder", path);
    const auto covered = [&](const Change& change) {
        const bool removal = change.kind == Change::Kind::kRemove;
        return folder_of(removal ? change.from : change.to) == path;
    };
    for (const auto& change : unsynced_)
        if (covered(change)) apply(change, synced_);
    std::erase_if(unsynced_, covered);
    return {};
}

Result<std::vector<std::string>> SimNames::list(std::string_view path) const {
    if (!is_folder(path)) return no_such("folder", path);
    std::vector<std::string> names;
    const auto collect = [&](std::string_view candidate) {
        if (const auto name = child_of(candidate, path); !name.empty()) names.emplace_back(name);
    };
    for (auto it = live_.lower_bound(path); it != live_.end() && it->first.starts_with(path); ++it)
        collect(it->first);
    for (auto it = folders_.lower_bound(path); it != folders_.end() && it->starts_with(path); ++it)
        collect(*it);
    std::sort(names.begin(), names.end());
    return names;
}

void SimNames::link(const SimInodePtr& inode) {
    if (inode->links++ == 0) used_bytes_ += inode->data().size();
}

void SimNames::unlink(const SimInodePtr& inode) {
    if (--inode->links == 0) used_bytes_ -= inode->data().size();
}

void SimNames::resized(const SimInode& inode, std::uint64_t before) {
    if (inode.links > 0) used_bytes_ += inode.data().size() - before;
}

std::uint64_t SimNames::unsynced_sectors() const {
    std::uint64_t total = 0;
    for (const auto& [path, inode] : live_) total += inode->unsynced_sectors();
    return total;
}

void SimNames::add_to_hash(TraceHash* hash) const {
    for (const auto& folder : folders_) hash->add(folder);
    for (const auto& [path, inode] : live_) {
        hash->add(path);
        hash->add(inode->data());
    }
}

std::unique_ptr<SimNames> SimNames::survive(SectorFate& fate, Copy copying) const {
    Tree tree = synced_;
    for (const auto& change : unsynced_)
        if (fate.keep_name()) apply(change, tree);
    auto out = std::make_unique<SimNames>();
    out->folders_ = folders_;
    // One file under two names (half a rename across folders) stays one file.
    std::map<const SimInode*, SimInodePtr> copies;
    for (const auto& [path, inode] : tree) {
        auto& copy = copies[inode.get()];
        if (!copy && copying == Copy::kTake && inode->clean()) {
            fate.next_file();  // As survive() does: both ways draw the same.
            inode->links = 0;
            copy = inode;
        } else if (!copy) {
            copy = std::make_shared<SimInode>(inode->survive(fate));
        }
        out->link(copy);
        out->live_.emplace(path, copy);
    }
    out->synced_ = out->live_;
    return out;
}

}  // namespace tidal::runtime::internal
