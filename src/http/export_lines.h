// http/export_lines.h: lines of exports, without the newline; `position` resumes right after one.
#pragma once

#include <string>

#include "api/types.h"

namespace tidal::http {

std::string exported_json(const api::ExportedSignal& signal);
std::string exported_csv(const api::ExportedSignal& signal);
std::string exported_csv_header();  ///< With its newline.

/// An impression and what came of it. What a feed put into its context stands beside `entity_id`:
/// `position` there is `rank` here.
std::string shown_json(const api::ShownItem& shown);
std::string shown_csv(const api::ShownItem& shown);
std::string shown_csv_header();  ///< With its newline.

}  // namespace tidal::http
