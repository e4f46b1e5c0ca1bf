// SPDX-License-Identifier: Apache-2.0
// Where a command's results (stdout) and talk (stderr) go, and in which form. Owned by the
// dispatcher, one thread. The sinks are functions, so that tests read what was written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cron/zone.h"
#include "ctl/outcome.h"
#include "ctl/table.h"

namespace distcron::ctl {

enum class Format : std::uint8_t { kTable, kWide, kJson, kJsonl, kToml, kTsv, kName };

/// The names of the formats, for completion and messages.
[[nodiscard]] const std::vector<std::string>& format_names();
[[nodiscard]] std::optional<Format> parse_format(std::string_view name);

struct Streams {
  std::function<void(std::string_view)> out;
  std::function<void(std::string_view)> err;
  /// As out, through a pager where that helps; only for whole results.
  std::function<void(std::string_view)> page;
  bool out_tty = false;
  bool err_tty = false;
  std::size_t width = 80;  ///< Of the terminal.
};

struct OutputOptions {
  Format format = Format::kTable;
  std::vector<std::string> columns;
  bool header = true;
  bool quiet = false;
  bool out_color = false;
  bool err_color = false;
  std::shared_ptr<const cron::Zone> zone;  ///< Of times for people.
};

class Output {
 public:
  Output(Streams streams, OutputOptions options)
      : streams_(std::move(streams)), options_(std::move(options)) {}

  [[nodiscard]] const OutputOptions& options() const { return options_; }

  [[nodiscard]] Format format() const { return options_.format; }

  [[nodiscard]] bool is_json() const {
    return options_.format == Format::kJson || options_.format == Format::kJsonl;
  }

  [[nodiscard]] bool out_is_tty() const { return streams_.out_tty; }

  [[nodiscard]] bool err_is_tty() const { return streams_.err_tty; }

  [[nodiscard]] std::size_t width() const { return streams_.width; }

  /// Bytes of the result, as they are.
  void write(std::string_view bytes) { streams_.out(bytes); }

  void line(std::string_view text);

  /// A whole result that may be longer than the screen.
  void page(std::string_view text) { streams_.page(text); }

  /// From now on page() is write(): for what is shown more than once.
  void stop_paging() { streams_.page = streams_.out; }

  /// A line on stderr; nothing with -q.
  void talk(std::string_view text);
  /// As talk(), but only on a terminal: what to type next.
  void hint(std::string_view text);
  /// A line on stderr, also with -q.
  void problem(std::string_view text);

  /// Prints `table` as the chosen text format says; `names` are what `-o name` prints.
  Status table(Table table, const std::vector<std::string>& names);

  /// One object: `fields` is the JSON text of an object, to which apiVersion and kind are added.
  void json_object(std::string_view kind, std::string_view object);
  /// A list: each item is the JSON text of an object; one item per line with -o jsonl.
  void json_list(std::string_view kind, const std::vector<std::string>& items,
                 std::string_view extra = {});

  /// "2026-11-21 02:30:00 CET" in the zone for people; seconds are cut when they are zero.
  [[nodiscard]] std::string time(WallTime at) const;
  [[nodiscard]] std::string time(const std::optional<WallTime>& at) const;
  /// "Sat 2026-11-21 02:30 CET".
  [[nodiscard]] std::string day_time(WallTime at) const;

  /// `text` in a colour (SGR number such as "31") where stdout shows colours.
  [[nodiscard]] std::string paint(std::string_view sgr, std::string_view text) const;

 private:
  Streams streams_;
  OutputOptions options_;
};

}  // namespace distcron::ctl
