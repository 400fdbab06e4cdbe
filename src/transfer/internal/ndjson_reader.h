// transfer/internal/ndjson_reader.h: one JSON object a line, fed in pieces of any size.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "transfer/csv_parser.h"
#include "transfer/internal/cell.h"

namespace tidal::transfer {

/// Reads the named top-level keys of each object. Numbers keep the digits they are written with;
/// true and false read as such; an object reads as its JSON text. Blank lines are skipped.
class NdjsonReader {
public:
    class Handler {
    public:
        virtual ~Handler() = default;
        virtual bool on_cells(std::span<const SourceCell> cells, const RowPlace& place,
                              std::string_view text) = 0;
        virtual void on_rejected(const RejectedRow& rejected) = 0;
    };

    NdjsonReader(std::vector<std::string> keys, Handler& handler);
    ~NdjsonReader();

    void feed(std::string_view bytes);
    void finish();

private:
    struct Parser;
    void end_line();
    /// nullptr, or why the line is no good.
    const char* read_cells();

    const std::vector<std::string> keys_;
    Handler& handler_;
    std::unique_ptr<Parser> parser_;
    std::string line_;
    std::vector<SourceCell> cells_;
    RowPlace place_{1, 1};
    bool too_long_ = false;
    bool stopped_ = false;
};

}  // namespace tidal::transfer
