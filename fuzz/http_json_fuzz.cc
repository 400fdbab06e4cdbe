// Any bytes as every body of JSON that a door takes: read or refused, by a reader that read others
// before as by a new one.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/internal/plain_signal.h"
#include "http/json_read.h"
#include "http/tests/same_signal.h"

namespace {

using namespace tidal;
using http::JsonReader;

void read_all(std::string_view text, JsonReader* reader) {
    for (const EntityKind kind : {EntityKind::kItem, EntityKind::kUser, EntityKind::kCreator}) {
        (void)reader->entity(text, kind);
        (void)reader->entity_patch(text, kind, std::uint64_t{1});
    }
    (void)reader->embedding(text);
    (void)reader->signal(text);
    (void)reader->session(text);
    (void)reader->annotations(text);
    (void)reader->relationship(text, false);
    (void)reader->relationship(text, true);
    (void)reader->members_of(text, "later");
    (void)reader->description(text);
    (void)reader->import_line(text);
    (void)reader->suggest(text);
    (void)reader->schema(text);
    (void)reader->query(text);
    (void)reader->catalog_text(text);
    (void)reader->name(text);
    (void)reader->key(text);
    (void)reader->optional_number(text, "node");
}

/// What is read without a tree is what the tree says.
void check_plain(std::string_view text) {
    api::Write plain;
    if (!http::read_plain_signal(text, &plain)) return;
    const auto tree = JsonReader().signals("[" + std::string(text) + "]");
    if (!tree.ok() || tree->size() != 1 || !tree->front().ok()) std::abort();
    if (!http::is_same_signal(std::get<api::SignalWrite>(plain),
                              std::get<api::SignalWrite>(*tree->front())))
        std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static JsonReader used;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    read_all(text, &used);
    check_plain(text);
    const auto feed = used.feed(text), same = JsonReader().feed(text);
    if (feed.ok() != same.ok()) std::abort();
    if (!feed.ok() && feed.error().to_string() != same.error().to_string()) std::abort();
    const auto signals = used.signals(text), again = JsonReader().signals(text);
    if (signals.ok() != again.ok() || (signals.ok() && signals->size() != again->size()))
        std::abort();
    return 0;
}
