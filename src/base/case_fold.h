// base/case_fold.h: texts without the difference of upper and lower case.
#pragma once

#include <string>
#include <string_view>

namespace tidal {

/// Each character of `text` by the simple case folding of Unicode 14 (one character for one, in no
/// language's own way): "Éa" and "éA" give the same. The bytes of two results compare as their code
/// points do. Bytes that are not UTF-8 stay as they are.
/// @param bytes_max  The result ends before the first character that would pass it.
std::string fold_case(std::string_view text, std::size_t bytes_max);

}  // namespace tidal
