#include "transfer/internal/ndjson_reader.h"

#include <simdjson.h>

#include <algorithm>
#include <deque>

namespace tidal::transfer {

struct NdjsonReader::Parser {
    simdjson::dom::parser dom{kRowBytesMax};
    std::deque<std::string> texts;  ///< Of numbers and nested values; addresses stay.

    std::string_view keep(std::string text) { return texts.emplace_back(std::move(text)); }
    std::string_view text_of(simdjson::dom::element element) {
        std::string_view text;
        if (element.get(text) == simdjson::SUCCESS) return text;
        return keep(simdjson::minify(element));
    }
};

NdjsonReader::NdjsonReader(std::vector<std::string> keys, Handler& handler)
    : keys_(std::move(keys)), handler_(handler), parser_(std::make_unique<Parser>()) {}
NdjsonReader::~NdjsonReader() = default;

void NdjsonReader::feed(std::string_view bytes) {
    while (!bytes.empty() && !stopped_) {
        const std::size_t end = std::min(bytes.find('\n'), bytes.size());
        const std::size_t room = kRowBytesMax - line_.size();
        line_.append(bytes.substr(0, std::min(end, room)));
        too_long_ = too_long_ || end > room;
        if (end == bytes.size()) return;
        bytes.remove_prefix(end + 1);
        end_line();
        ++place_.line;
    }
}

void NdjsonReader::finish() {
    if (!stopped_ && !line_.empty()) end_line();
    stopped_ = true;
}

void NdjsonReader::end_line() {
    const std::string_view text =
        std::string_view(line_).substr(0, line_.find_last_not_of('\r') + 1);
    if (text.find_first_not_of(" \t") == std::string_view::npos) {
        place_.after_blank = true;
    } else {
        parser_->texts.clear();
        const char* const reason = too_long_ ? "longer than 1 MiB" : read_cells();
        if (reason != nullptr)
            handler_.on_rejected({place_, 0, {}, reason, text});
        else if (!handler_.on_cells(cells_, place_, text))
            stopped_ = true;
        ++place_.row;
        place_.after_blank = false;
    }
    line_.clear();
    too_long_ = false;
}

const char* NdjsonReader::read_cells() {
    simdjson::dom::element document;
    simdjson::dom::object object;
    const auto error = parser_->dom.parse(line_).get(document);
    if (error == simdjson::DEPTH_ERROR) return "JSON nested too deep";
    if (error != simdjson::SUCCESS) return "not JSON";
    if (document.get(object) != simdjson::SUCCESS) return "not a JSON object";
    cells_.assign(keys_.size(), SourceCell{});
    for (const auto& [key, value] : object) {
        const auto at = std::find(keys_.begin(), keys_.end(), key);
        if (at == keys_.end()) continue;
        SourceCell& cell = cells_[static_cast<std::size_t>(at - keys_.begin())];
        if (cell.present) return "a key is given twice";
        if (value.is_null()) continue;
        cell.present = true;
        cell.text = parser_->text_of(value);
        simdjson::dom::array array;
        cell.is_list = value.get(array) == simdjson::SUCCESS;
        if (cell.is_list)
            for (const simdjson::dom::element element : array)
                cell.list.push_back(parser_->text_of(element));
    }
    return nullptr;
}

}  // namespace tidal::transfer
