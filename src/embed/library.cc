// Opening, writing and reading.
#include "embed/internal/open.h"
#include "runtime/real_runtime.h"

namespace tidal {
using internal::wait;

Library::Open::~Open() {
    if (database == nullptr) return;
    (void)wait<void>(
        [this](auto done) { database->stop([done = std::move(done)]() mutable { done({}); }); });
}

Library::Library(std::unique_ptr<Open> open) : open_(std::move(open)) {}
Library::Library(Library&&) noexcept = default;
Library& Library::operator=(Library&&) noexcept = default;
Library::~Library() = default;

Result<Library> Library::open(const OpenOptions& options) {
    auto open = std::make_unique<Open>();
    TIDAL_ASSIGN(open->runtime, runtime::make_real_runtime({options.directory, {}}));
    api::DatabaseOptions database;
    database.ephemeral = options.directory.empty();
    database.shards = options.shards;
    database.schema = options.schema;
    database.memory = options.memory;
    database.memory_bytes_max = options.memory_bytes_max;
    database.logger = options.logger;
    TIDAL_ASSIGN(open->database, api::Database::open(database, *open->runtime));
    TIDAL_TRY(wait<void>([&](auto done) { open->database->start(std::move(done)); }));
    return Library(std::move(open));
}

api::WriteReplies Library::write_all(std::vector<api::Write> writes,
                                     const api::CallContext& context) {
    const std::size_t count = writes.size();
    auto replies = wait<api::WriteReplies>(
        [&](auto done) { open_->database->write(std::move(writes), context, std::move(done)); });
    if (replies.ok()) return std::move(*replies);
    return api::WriteReplies(count, Result<api::WriteReply>(replies.error()));
}

Result<api::WriteReply> Library::write(api::Write write, const api::CallContext& context) {
    std::vector<api::Write> writes;
    writes.push_back(std::move(write));
    return std::move(write_all(std::move(writes), context).front());
}

Result<api::EntityReply> Library::get(const api::EntityRequest& request) {
    return open_->database->get(request);
}
Result<api::SignalReadings> Library::signals(const api::EntityRequest& request) {
    return open_->database->signals(request);
}
Result<api::RelationshipsReply> Library::relationships(const api::RelationshipsRequest& request) {
    return open_->database->relationships(request);
}
Result<api::FeedReply> Library::feed(const api::FeedCall& call) {
    return wait<api::FeedReply>([&](auto done) { open_->database->feed(call, std::move(done)); });
}

Result<api::FeedReply> Library::query(std::string_view text) {
    TIDAL_ASSIGN(api::QueryReply reply, wait<api::QueryReply>([&](auto done) {
                     open_->database->query(std::string(text), {}, std::move(done));
                 }));
    if (auto* const page = std::get_if<api::FeedReply>(&reply)) return std::move(*page);
    return Error(ErrorCode::kUnsupported, "a SUGGEST has no page")
        .with_field("query")
        .with_hint("Library::suggest()");
}

Result<std::vector<api::SavedSearch>> Library::saved_searches(const api::IdInput& user_id) {
    return open_->database->saved_searches(user_id);
}

Result<api::FeedReply> Library::run_saved_search(const api::SavedSearchRequest& request) {
    return wait<api::FeedReply>(
        [&](auto done) { open_->database->run_saved_search(request, std::move(done)); });
}

Result<api::SuggestReply> Library::suggest(const api::SuggestCall& call) {
    return wait<api::SuggestReply>(
        [&](auto done) { open_->database->suggest(call, std::move(done)); });
}

Result<void> Library::wait_for(std::string_view token, std::uint64_t timeout_ms) {
    return wait<void>(
        [&](auto done) { open_->database->when_visible(token, timeout_ms, std::move(done)); });
}

Result<void> Library::put_schema(std::string_view yaml) {
    return wait<void>([&](auto done) { open_->database->put_schema(yaml, std::move(done)); });
}

std::string Library::schema_yaml() const {
    return schema::print_schema(*open_->database->schema());
}

}  // namespace tidal
