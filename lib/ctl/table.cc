// SPDX-License-Identifier: Apache-2.0
#include "ctl/table.h"

#include <algorithm>
#include <cctype>
#include <cwchar>
#include <utility>

#include <wchar.h>

namespace distcron::ctl {
namespace {

constexpr std::string_view kEllipsis = "\xe2\x80\xa6";
constexpr std::string_view kGap = "  ";
constexpr std::size_t kFlexibleMin = 8;

struct Glyph {
  std::size_t bytes = 1;
  std::size_t columns = 1;
};

/// The first character of `text`, which is not empty.
Glyph first_glyph(std::string_view text) {
  std::mbstate_t state{};
  wchar_t wide = 0;
  const std::size_t length = std::mbrtowc(&wide, text.data(), text.size(), &state);
  if (length == 0 || length > text.size()) return {};
  const int columns = ::wcwidth(wide);
  return {length, columns < 0 ? 1U : static_cast<std::size_t>(columns)};
}

std::string heading(std::string_view key) {
  std::string text;
  for (const char c : key) {
    text += c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return text;
}

void drop_columns(Table& table, const std::vector<std::size_t>& keep) {
  Table chosen;
  for (const std::size_t i : keep)
    chosen.columns.push_back(table.columns[i]);
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    for (const std::size_t i : keep)
      cells.push_back(row[i]);
    chosen.rows.push_back(std::move(cells));
  }
  table = std::move(chosen);
}

std::vector<std::size_t> measure(const Table& table, bool header) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::size_t width = header ? table.columns[i].key.size() : 0;
    for (const auto& row : table.rows)
      width = std::max(width, display_width(row[i]));
    widths.push_back(width);
  }
  return widths;
}

/// Takes columns from the widest flexible one until the table fits, or nothing is left to take.
void fit(const Table& table, std::size_t screen, std::vector<std::size_t>& widths) {
  std::size_t total = kGap.size() * (widths.empty() ? 0 : widths.size() - 1);
  for (const std::size_t width : widths)
    total += width;
  while (total > screen) {
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (!table.columns[i].flexible || widths[i] <= kFlexibleMin) continue;
      if (widest == widths.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == widths.size()) return;
    --widths[widest];
    --total;
  }
}

std::string format_row(const Table& table, const std::vector<std::string>& cells,
                       const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = shorten(cells[i], widths[i]);
    const std::string blanks(widths[i] - std::min(widths[i], display_width(cell)), ' ');
    if (i > 0) line += kGap;
    line += table.columns[i].align == Align::kRight ? blanks + cell : cell + blanks;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Glyph glyph = first_glyph(text);
    width += glyph.columns;
    text.remove_prefix(glyph.bytes);
  }
  return width;
}

std::string shorten(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::string cut;
  std::size_t used = 1;  // the ellipsis
  while (!text.empty()) {
    const Glyph glyph = first_glyph(text);
    if (used + glyph.columns > width) break;
    used += glyph.columns;
    cut += text.substr(0, glyph.bytes);
    text.remove_prefix(glyph.bytes);
  }
  return width == 0 ? std::string() : cut + std::string(kEllipsis);
}

std::string printable(std::string_view text) {
  std::string clean;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    clean += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  return clean;
}

Status choose_columns(Table& table, const std::vector<std::string>& keys) {
  std::vector<std::string> known;
  for (const Column& column : table.columns)
    known.push_back(column.key);
  std::vector<std::size_t> keep;
  for (const std::string& key : keys) {
    const auto found = std::find(known.begin(), known.end(), key);
    if (found == known.end()) {
      std::string all;
      for (const std::string& name : known)
        all += (all.empty() ? "" : ", ") + name;
      return fail_hint(ErrorCode::kInvalid, "no column named \"" + key + "\"", "columns: " + all);
    }
    keep.push_back(static_cast<std::size_t>(found - known.begin()));
  }
  drop_columns(table, keep);
  for (Column& column : table.columns)
    column.wide_only = false;
  return {};
}

std::string format_table(Table table, const TableStyle& style) {
  if (!style.wide) {
    std::vector<std::size_t> keep;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      if (!table.columns[i].wide_only) keep.push_back(i);
    }
    drop_columns(table, keep);
  }
  for (auto& row : table.rows) {
    for (std::string& cell : row)
      cell = printable(cell);
  }
  std::vector<std::size_t> widths = measure(table, style.header);
  if (style.width > 0) fit(table, style.width, widths);
  std::string text;
  if (style.header) {
    std::vector<std::string> titles;
    for (const Column& column : table.columns)
      titles.push_back(heading(column.key));
    const std::string line = format_row(table, titles, widths);
    text += style.bold_header ? "\x1b[1m" + line + "\x1b[0m\n" : line + "\n";
  }
  for (const auto& row : table.rows)
    text += format_row(table, row, widths) + "\n";
  return text;
}

std::string format_tsv(const Table& table, bool header) {
  std::string text;
  if (header) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      text += (i > 0 ? "\t" : "") + table.columns[i].key;
    }
    text += '\n';
  }
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      text += (i > 0 ? "\t" : "") + printable(row[i]);
    text += '\n';
  }
  return text;
}

}  // namespace distcron::ctl
