// SPDX-License-Identifier: Apache-2.0
// Tables for people (aligned columns) and scripts (tsv). Pure: text in, text out; the width of
// characters comes from wcwidth(3) and so from the locale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace distcron::ctl {

enum class Align : std::uint8_t { kLeft, kRight };

struct Column {
  std::string key;  ///< For --columns; its upper case is the heading.
  Align align = Align::kLeft;
  bool flexible = false;   ///< May be cut with "…" when the screen is too narrow.
  bool wide_only = false;  ///< Shown with -o wide, -o tsv and --columns only.
};

struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  ///< As many cells as columns.
};

struct TableStyle {
  std::size_t width = 0;  ///< Columns of the screen; 0: never cut.
  bool header = true;
  bool wide = false;
  bool bold_header = false;
};

/// Leaves only the named columns, in that order. kInvalid with suggestions for an unknown one.
[[nodiscard]] Status choose_columns(Table& table, const std::vector<std::string>& keys);

[[nodiscard]] std::string format_table(Table table, const TableStyle& style);

/// One line per row, cells separated by tabs; tabs and newlines in cells become spaces.
[[nodiscard]] std::string format_tsv(const Table& table, bool header);

/// Columns that `text` takes on a terminal; control characters count 1.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// At most `width` columns, "…" for what was cut.
[[nodiscard]] std::string shorten(std::string_view text, std::size_t width);

/// Control characters replaced, so that data cannot steer a terminal.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace distcron::ctl
