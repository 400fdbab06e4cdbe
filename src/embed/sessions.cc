// Sessions, and the policies that say what they may do.
#include "embed/internal/open.h"

namespace tidal {

using internal::wait;

Result<api::SessionReply> Library::open_session(const api::SessionOpen& open,
                                                const api::CallContext& context) {
    return wait<api::SessionReply>(
        [&](auto done) { open_->database->open_session(open, context, std::move(done)); });
}

Result<api::SessionReply> Library::session(std::uint64_t id) const {
    return open_->database->session(id);
}

Result<std::vector<api::SessionReply>> Library::sessions(const api::IdInput& user_id) const {
    return open_->database->sessions(user_id);
}

Result<api::SessionReply> Library::annotate_session(const api::SessionAnnotate& annotate,
                                                    const api::CallContext& context) {
    return wait<api::SessionReply>(
        [&](auto done) { open_->database->annotate_session(annotate, context, std::move(done)); });
}

Result<api::SessionReply> Library::close_session(std::uint64_t id,
                                                 const api::CallContext& context) {
    return wait<api::SessionReply>(
        [&](auto done) { open_->database->close_session(id, context, std::move(done)); });
}

Result<api::CatalogReply> Library::put_policy(const std::string& name, std::string_view text,
                                              bool dry_run) {
    return wait<api::CatalogReply>([&](auto done) {
        open_->database->put_policy(name, std::string(text), dry_run, std::move(done));
    });
}

std::vector<api::StoredPolicy> Library::policies() const {
    return *open_->database->policies();
}

Result<void> Library::retire_policy(const std::string& name) {
    return wait<void>([&](auto done) {
        open_->database->retire(record::CatalogKind::kPolicy, name, std::move(done));
    });
}

}  // namespace tidal
