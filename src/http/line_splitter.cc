#include "http/line_splitter.h"

#include <utility>

namespace tidal::http {

void LineSplitter::feed(std::string_view bytes, const OnLine& on_line) {
    for (std::size_t end; (end = bytes.find('\n')) != std::string_view::npos;
         bytes.remove_prefix(end + 1)) {
        if (rest_.empty()) {
            take(bytes.substr(0, end), on_line);
        } else {
            rest_.append(bytes.substr(0, end));
            take(std::exchange(rest_, {}), on_line);
        }
    }
    if (!skipping_) rest_.append(bytes);
    if (rest_.size() > kLineBytesMax) {
        skipping_ = true;  // up to the next line end
        rest_.clear();
    }
}

void LineSplitter::finish(const OnLine& on_line) {
    if (!rest_.empty() || skipping_) take(std::exchange(rest_, {}), on_line);
}

void LineSplitter::take(std::string_view line, const OnLine& on_line) {
    const std::uint64_t number = next_number_++;
    if (std::exchange(skipping_, false) || line.size() > kLineBytesMax)
        return on_line(number,
                       Error(ErrorCode::kTooLarge, "line longer than 1 MiB").with("line", number));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos)
        return on_line(number,
                       Error(ErrorCode::kInvalidArgument, "empty line").with("line", number));
    on_line(number, line);
}

}  // namespace tidal::http
