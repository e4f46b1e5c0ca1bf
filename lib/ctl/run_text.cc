// SPDX-License-Identifier: Apache-2.0
#include "ctl/run_text.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "model/enums.h"
#include "model/units.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

std::string duration_text(const wire::RunItem& run) {
  if (!run.started_at || !run.ended_at) return "-";
  return model::format_duration(std::chrono::floor<Millis>(*run.ended_at - *run.started_at));
}

std::string number_text(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : "-";
}

std::string_view colour_of(std::string_view state) {
  if (state == "ok") return "32";
  if (state == "failed" || state == "timeout" || state == "lost" || state == "missed") return "31";
  if (state == "running" || state == "dispatched") return "36";
  return "33";
}

void add_row(std::vector<std::pair<std::string, std::string>>& rows, std::string key,
             std::string value) {
  if (!value.empty() && value != "-") rows.emplace_back(std::move(key), std::move(value));
}

}  // namespace

bool is_final_state(std::string_view state) {
  const auto parsed = model::parse_enum<model::RunState>(state);
  return parsed && model::is_final(*parsed);
}

std::string result_text(const wire::RunItem& run) {
  std::string why = run.reason;
  const auto add = [&why](const std::string& part) { why += (why.empty() ? "" : ", ") + part; };
  if (run.exit_code && *run.exit_code != 0) add("exit " + number_text(run.exit_code));
  if (run.signal) add("signal " + number_text(run.signal));
  if (run.suspect.value_or(false)) add("host silent");
  const std::string text = run.state + (why.empty() ? "" : " (" + why + ")");
  return text;
}

std::string run_sentence(const wire::RunItem& run) {
  std::string text =
      "run " + std::to_string(run.run_id) + " of " + run.job + ": " + result_text(run);
  if (!run.node.empty()) text += " on " + run.node;
  if (run.started_at && run.ended_at) text += " after " + duration_text(run);
  return text;
}

Outcome print_runs(const wire::RunList& runs, Output& out) {
  std::vector<std::string> texts;
  if (out.is_json()) {
    for (const wire::RunItem& item : runs.items)
      texts.push_back(wire::to_json(item));
    out.json_list("RunList", texts,
                  runs.next ? ",\"next\":\"" + std::to_string(*runs.next) + "\"" : "");
    return ExitCode::kOk;
  }
  Table table;
  table.columns = {{"run", Align::kRight},
                   {"job"},
                   {"scheduled"},
                   {"result"},
                   {"node"},
                   {"duration", Align::kRight},
                   {"trigger"},
                   {"attempt", Align::kRight, false, true},
                   {"late_ms", Align::kRight, false, true},
                   {"exit", Align::kRight, false, true},
                   {"started", Align::kLeft, false, true},
                   {"ended", Align::kLeft, false, true},
                   {"output", Align::kRight, false, true},
                   {"detail", Align::kLeft, true, true}};
  for (const wire::RunItem& item : runs.items) {
    texts.push_back(std::to_string(item.run_id));
    table.rows.push_back({texts.back(), item.job, out.time(item.scheduled_at), result_text(item),
                          item.node.empty() ? "-" : item.node, duration_text(item), item.trigger,
                          number_text(item.attempt), number_text(item.lateness_ms),
                          number_text(item.exit_code), out.time(item.started_at),
                          out.time(item.ended_at), number_text(item.output_bytes), item.detail});
  }
  if (runs.items.empty() && out.format() != Format::kName) {
    out.talk("no runs");
    return ExitCode::kOk;
  }
  if (Status status = out.table(std::move(table), texts); !status) {
    return usage(status.error().message, status.error().hint);
  }
  if (runs.next) out.hint("  older ones: --before " + std::to_string(*runs.next));
  return ExitCode::kOk;
}

void print_run(const wire::RunItem& run, Output& out) {
  if (out.is_json()) return out.json_object("Run", wire::to_json(run));
  if (out.format() == Format::kName) return out.line(std::to_string(run.run_id));
  std::vector<std::pair<std::string, std::string>> rows;
  add_row(rows, "run", std::to_string(run.run_id));
  add_row(rows, "job", run.job);
  add_row(rows, "result", out.paint(colour_of(run.state), result_text(run)));
  add_row(rows, "detail", printable(run.detail));
  add_row(rows, "scheduled", out.time(run.scheduled_at));
  add_row(rows, "trigger", run.trigger);
  add_row(rows, "node", run.node);
  add_row(rows, "attempt", number_text(run.attempt));
  add_row(rows, "dispatched", out.time(run.dispatched_at));
  add_row(rows, "started", out.time(run.started_at));
  add_row(rows, "ended", out.time(run.ended_at));
  add_row(rows, "duration", duration_text(run));
  if (run.lateness_ms) add_row(rows, "late", model::format_duration(Millis(*run.lateness_ms)));
  add_row(rows, "exit code", number_text(run.exit_code));
  add_row(rows, "killed by", run.killed_by);
  add_row(rows, "output", run.output_bytes ? number_text(run.output_bytes) + " bytes" : "");
  add_row(rows, "memory", run.maxrss_kb ? number_text(run.maxrss_kb) + " KiB" : "");
  std::string text;
  for (auto& [key, value] : rows) {
    key.resize(12, ' ');
    text += key + value + "\n";
  }
  if (!run.tail.empty()) {
    text += "end of its output:\n";
    std::string_view tail = run.tail;
    while (!tail.empty()) {
      const std::size_t end = std::min(tail.find('\n'), tail.size());
      text += "  " + printable(tail.substr(0, end)) + "\n";
      tail.remove_prefix(std::min(end + 1, tail.size()));
    }
  }
  out.page(text);
}

}  // namespace distcron::ctl
