#include <algorithm>

#include "api/tests/cluster_calls.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kUser = 7;
constexpr std::uint64_t kBlocked = 9;  ///< A creator.

bool has(Database& database, EntityKind kind, std::uint64_t id) {
    return database.get({kind, id}).ok();
}
std::function<bool(Database&)> counts(std::uint64_t id, const char* signal, std::int64_t want) {
    return [=](Database& database) { return count_of(database, id, signal) == want; };
}

void add_entities(ClusterCalls* calls) {
    EntityWrite titled = item(1, 7);
    titled.metadata.push_back({"title", std::string("Jazz")});
    calls->push_back(of_write("upsert", titled, [](Database& database) {
        const auto found = database.get({EntityKind::kItem, std::uint64_t{1}});
        return found.ok() && found->creator_id.has_value();
    }));
    for (const EntityKind kind : {EntityKind::kUser, EntityKind::kCreator}) {
        EntityWrite one;
        one.kind = kind;
        one.id = kUser;
        calls->push_back(of_write("upsert of another kind", one, [kind](Database& database) {
            return has(database, kind, kUser);
        }));
    }
    calls->push_back(of_write("upsert", item(2), always));
    calls->push_back(
        of_write("delete", EntityDelete{EntityKind::kItem, std::uint64_t{2}, {}},
                 [](Database& database) { return !has(database, EntityKind::kItem, 2); }));
    calls->push_back(of_write("upsert", item(6), always));
    for (const std::uint64_t id : {1, 6})
        calls->push_back(
            of_write("embedding", EmbeddingWrite{EntityKind::kItem, id, "", {1, 0, 0, 0}}, always));
    calls->back().shows = [](Database& database) {
        FeedCall call;
        call.profile = "similar";
        call.similar_to = IdInput(std::uint64_t{1});
        const auto page = database.feed(call);
        return page.ok() && page->items.size() == 1 && page->items[0].entity.id == EntityId(6);
    };
}

void add_signals(ClusterCalls* calls) {
    calls->push_back(of_write("signal", signal(1, "view"), counts(1, "view", 1)));
    calls->push_back(of_write("signal with a key", signal(1, "like", "like-1"), always));
    calls->push_back(
        of_write("undo", SignalUndo{std::uint64_t{1}, "like-1", ""}, counts(1, "like", 0)));
    SignalWrite hide = signal(3, "hide");
    hide.user_id = IdInput(kUser);
    calls->push_back(of_write("upsert", item(3, kBlocked), always));
    calls->push_back(of_write("hide", hide, [](Database& database) {
        FeedCall call;
        call.profile = "new";
        call.user_id = IdInput(kUser);
        call.confirmed = true;
        const auto page = database.feed(call);
        return page.ok() && std::ranges::none_of(page->items, [](const FeedItem& shown) {
                   return shown.entity.id == EntityId(3);
               });
    }));
}

void add_relationships(ClusterCalls* calls) {
    RelationshipWrite blocks;
    blocks.user_id = kUser;
    blocks.kind = record::RelationshipKind::kBlocks;
    for (const std::uint64_t creator : {kBlocked, kBlocked + 1}) {
        blocks.target = creator;
        calls->push_back(of_write("relationship", blocks, always));
    }
    blocks.ends = true;
    calls->push_back(of_write("end of a relationship", blocks, [](Database& database) {
        const auto found = database.relationships({kUser, record::RelationshipKind::kBlocks});
        return found.ok() && found->relationships.size() == 1 &&
               found->relationships[0].target == EntityId(kBlocked);
    }));
}

void add_imports(ClusterCalls* calls) {
    calls->push_back(
        {.name = "import",
         .method = "write_import",
         .ask =
             [](Database& database, Database::Done done) {
                 database.write_import({item(4)}, {.import_id = "films", .first_position = 1}, {},
                                       of_first(std::move(done)));
             },
         .shows = [](Database& database) { return has(database, EntityKind::kItem, 4); },
         .write = {}});
    PreparedWrite prepared;
    record::UpsertBody upsert;
    upsert.id = EntityId(5);
    prepared.body = std::move(upsert);
    calls->push_back(
        {.name = "import in the schema's terms",
         .method = "write_import",
         .ask =
             [prepared](Database& database, Database::Done done) {
                 database.write_import({prepared}, {.import_id = "films", .first_position = 2}, {},
                                       of_first(std::move(done)));
             },
         .shows = [](Database& database) { return has(database, EntityKind::kItem, 5); },
         .write = write_of<PreparedWrite>()});
    calls->push_back(
        {.name = "import note",
         .method = "put_import_note",
         .ask = [](Database& database,
                   Database::Done done) { database.put_import_note("films", 17, std::move(done)); },
         .shows =
             [](Database& database) {
                 const auto note = database.import_note("films");
                 return note.ok() && *note == 17;
             },
         .write = {}});
}

}  // namespace

ClusterCalls write_calls() {
    ClusterCalls calls;
    add_entities(&calls);
    add_signals(&calls);
    add_relationships(&calls);
    add_imports(&calls);
    return calls;
}

}  // namespace tidal::api
