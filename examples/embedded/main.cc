// A shop's front page in one program: no server, the same database.
//   embedded_example DIRECTORY     (run it twice: what it wrote is still there)
#include <cstdio>

#include "tidal/tidal.h"

namespace {

using tidal::api::EntityWrite;
using tidal::api::SignalWrite;

tidal::Result<void> run(const std::string& directory) {
    TIDAL_ASSIGN(auto library, tidal::Library::open({.directory = directory}));

    const char* titles[] = {"Jazz Piano", "Blues Guitar", "Field Recordings"};
    for (std::uint64_t id = 1; id <= 3; ++id) {
        EntityWrite item;
        item.id = id;
        item.metadata = {{"title", std::string(titles[id - 1])},
                         {"category", std::string("music")}};
        item.creator_id = tidal::api::IdInput(std::uint64_t{7});
        TIDAL_TRY(library.write(item));
    }
    std::string token;
    for (std::uint64_t user = 1; user <= 5; ++user) {
        SignalWrite like;
        like.id = std::uint64_t{user <= 3 ? 2u : 1u};
        like.signal = "like";
        like.user_id = tidal::api::IdInput(user);
        TIDAL_ASSIGN(auto reply, library.write(like));
        token = reply.token;
    }
    TIDAL_TRY(library.wait_for(token));

    TIDAL_ASSIGN(
        const auto feed,
        library.feed({.profile = "most_liked", .filter = "category = 'music'", .limit = 2}));
    for (const auto& item : feed.items)
        std::printf("%llu. %s (%g)\n", static_cast<unsigned long long>(item.rank),
                    std::get<std::string>(item.entity.metadata.front().second).c_str(), item.score);
    TIDAL_ASSIGN(const auto creator,
                 library.signals({tidal::EntityKind::kCreator, std::uint64_t{7}}));
    for (const auto& one : creator.signals)
        if (one.name == "like")
            std::printf(
                "creator 7 was liked %lld times\n",
                static_cast<long long>(
                    one.reading.windows[static_cast<std::size_t>(tidal::schema::Window::kAll)]
                        .count));
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    const auto done = run(argc > 1 ? argv[1] : "");
    if (done.ok()) return 0;
    std::fprintf(stderr, "%s\n", done.error().to_string().c_str());
    return 1;
}
