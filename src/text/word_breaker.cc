#include "text/internal/word_breaker.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utext.h>
#include <unicode/utf8.h>

#include <vector>

namespace tidal::text {
namespace {

constexpr UChar32 kModifierApostrophe = 0x2BC;

bool is_pair_script(UChar32 c) {
    return uscript_hasScript(c, USCRIPT_HAN) || uscript_hasScript(c, USCRIPT_HIRAGANA) ||
           uscript_hasScript(c, USCRIPT_KATAKANA) || uscript_hasScript(c, USCRIPT_BOPOMOFO);
}

bool is_dictionary_script(UChar32 c) {
    UErrorCode status = U_ZERO_ERROR;
    switch (uscript_getScript(c, &status)) {
        case USCRIPT_THAI:
        case USCRIPT_LAO:
        case USCRIPT_KHMER:
        case USCRIPT_MYANMAR:
            return true;
        default:
            return false;
    }
}

/// Calls `visit` with the code point at each place, kNone's -1 for a byte that is not UTF-8.
template <typename Visitor>
void for_each_character(std::string_view text, Visitor visit) {
    const auto size = static_cast<std::int32_t>(text.size());
    for (std::int32_t at = 0; at < size;) {
        const std::int32_t begin = at;
        UChar32 c = 0;
        U8_NEXT(text.data(), at, size, c);
        visit(static_cast<std::size_t>(begin), static_cast<std::size_t>(at), c);
    }
}

}  // namespace

Script script_of(std::int32_t c) {
    if (c < 0) return Script::kNone;
    if (c < 0x80) {
        const bool word =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        return word ? Script::kWord : Script::kNone;
    }
    const auto mask = U_GET_GC_MASK(c);
    if (c == kModifierApostrophe || (mask & (U_GC_L_MASK | U_GC_N_MASK | U_GC_M_MASK)) == 0)
        return Script::kNone;
    if (is_dictionary_script(c)) return Script::kDictionary;
    if ((mask & U_GC_M_MASK) != 0) return Script::kMark;
    if ((mask & U_GC_L_MASK) != 0 && is_pair_script(c)) return Script::kPairs;
    if (c == 0x3007) return Script::kPairs;  // The zero among Han numbers.
    return Script::kWord;
}

void WordBreaker::for_each(std::string_view folded, const Visit& visit) {
    Script run = Script::kNone;
    std::size_t begin = 0;
    const auto end_run = [&](std::size_t end) {
        if (run != Script::kNone) visit_run(folded.substr(begin, end - begin), run, visit);
    };
    for_each_character(folded, [&](std::size_t at, std::size_t, UChar32 c) {
        Script script = script_of(c);
        if (script == Script::kMark) script = run == Script::kNone ? Script::kWord : run;
        if (script == run) return;
        end_run(at);
        run = script;
        begin = at;
    });
    end_run(folded.size());
}

void WordBreaker::visit_run(std::string_view run, Script script, const Visit& visit) {
    if (script == Script::kWord) return visit(run, false);
    if (script == Script::kDictionary) return visit_dictionary(run, visit);
    std::vector<std::size_t> starts;  // Of characters with their marks.
    for_each_character(run, [&](std::size_t at, std::size_t, UChar32 c) {
        if (starts.empty() || script_of(c) != Script::kMark) starts.push_back(at);
    });
    starts.push_back(run.size());
    if (starts.size() == 2) return visit(run, true);
    for (std::size_t i = 0; i + 2 < starts.size(); ++i)
        visit(run.substr(starts[i], starts[i + 2] - starts[i]), true);
}

void WordBreaker::visit_dictionary(std::string_view run, const Visit& visit) {
    UErrorCode status = U_ZERO_ERROR;
    if (dictionary_ == nullptr)
        dictionary_.reset(icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), status));
    UText text = UTEXT_INITIALIZER;
    utext_openUTF8(&text, run.data(), static_cast<std::int64_t>(run.size()), &status);
    if (U_SUCCESS(status)) dictionary_->setText(&text, status);
    if (U_FAILURE(status)) {
        utext_close(&text);
        return visit(run, false);  // Without ICU's data: one word is better than none.
    }
    std::int32_t begin = dictionary_->first();
    for (std::int32_t end = dictionary_->next(); end != icu::BreakIterator::DONE;
         begin = end, end = dictionary_->next())
        visit(run.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
              false);
    utext_close(&text);
}

}  // namespace tidal::text
