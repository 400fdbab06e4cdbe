// query/tests/random_search.h: random texts of few words, and random queries of them.
#pragma once

#include <string>

#include "query/tests/random_filter.h"
#include "query/tests/reference_search.h"

namespace tidal::query {

/// Titles are ordered by as well: by case, letters behind ASCII and more than six bytes.
inline std::string random_title() {
    return *rc::gen::element<std::string>("Zebra", "zebra", "alpha", "Alpha9", "Émile", "émile",
                                          "abcdefgh", "abcdefGz", "a", "Blue songs", "blue rocks",
                                          "Rock singing song", "song song");
}
inline std::string random_body() {
    std::string out;
    for (std::size_t words = 1 + die(6); words > 0; --words)
        out += (out.empty() ? "" : " ") +
               *rc::gen::element<std::string>("jazz", "Jazz", "rock", "rocks", "blue", "song");
    return out;
}

/// Of words too short to be mistyped: nothing but themselves is found.
class RandomSearch {
public:
    static ReferenceSearch make() {
        ReferenceSearch out;
        for (std::size_t n = die(3) == 0 ? 1 + die(2) : 0; n > 0; --n)
            out.conditions.push_back(condition());
        const bool words = out.conditions.empty() || die(3) != 0;
        for (std::size_t n = words ? 1 + die(3) : 0; n > 0; --n) out.parts.push_back(part());
        if (words && die(4) == 0) {
            out.parts.push_back({unit()});
            out.parts.back()[0].excluded = true;
        }
        return out;
    }

private:
    static SearchCondition condition() {
        SearchCondition out;
        if (die(2) == 0) out.tag = *rc::gen::element<std::string>("jazz", "rock", "it's");
        if (out.tag.empty()) out.creator = EntityId(die(4));
        out.excluded = die(3) == 0;
        return out;
    }
    static std::vector<SearchUnit> part() {
        std::vector<SearchUnit> out{unit()};
        for (std::size_t n = die(4) == 0 ? 1 + die(2) : 0; n > 0; --n) {
            out.push_back(unit());
            out.back().excluded = die(2) == 0;
        }
        return out;
    }
    static SearchUnit unit() {
        SearchUnit out;
        out.kind = *rc::gen::element(SearchUnit::Kind::kWord, SearchUnit::Kind::kWord,
                                     SearchUnit::Kind::kPhrase, SearchUnit::Kind::kPrefix);
        if (die(3) == 0) out.field = *rc::gen::element<std::string>("title", "body");
        out.text = out.kind == SearchUnit::Kind::kPrefix
                       ? *rc::gen::element<std::string>("ro", "s", "jaz", "Al")
                       : *rc::gen::element<std::string>("jazz", "rock", "blue", "SONG", "none");
        if (out.kind == SearchUnit::Kind::kPhrase && die(3) != 0)
            out.text += *rc::gen::element<std::string>(" song", " rock", " jazz", " blue rock");
        return out;
    }
};

}  // namespace tidal::query
