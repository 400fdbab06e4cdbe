#include "text/internal/numbered_texts.h"

#include <cassert>
#include <cstring>
#include <utility>

#include "text/internal/shrink.h"

namespace tidal::text {

std::string_view NumberedTexts::view(const char* text) {
    Length length = 0;
    std::memcpy(&length, text, sizeof length);
    return {text + sizeof length, length};
}

std::uint32_t NumberedTexts::add(std::string_view text) {
    assert(!find(text));
    const auto length = static_cast<Length>(text.size());
    auto kept = std::make_unique_for_overwrite<char[]>(sizeof length + length);
    std::memcpy(kept.get(), &length, sizeof length);
    std::memcpy(kept.get() + sizeof length, text.data(), length);
    std::uint32_t number = size();
    if (free_.empty()) {
        texts_.push_back(std::move(kept));
    } else {
        number = free_.back();
        free_.pop_back();
        texts_[number] = std::move(kept);
    }
    numbers_.emplace((*this)[number], number);
    return number;
}

void NumberedTexts::drop(std::uint32_t number) {
    numbers_.erase((*this)[number]);
    shrink(&numbers_);
    texts_[number].reset();
    free_.push_back(number);
}

std::size_t NumberedTexts::bytes() const {
    constexpr std::size_t kAllocated = 16;  // About, of one text.
    return texts_.capacity() * sizeof(texts_[0]) + free_.capacity() * sizeof(free_[0]) +
           numbers_.capacity() * (sizeof(*numbers_.begin()) + 1) + numbers_.size() * kAllocated;
}

}  // namespace tidal::text
