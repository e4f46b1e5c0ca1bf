// SPDX-License-Identifier: Apache-2.0
#include "ctl/dispatch.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "ctl/client.h"
#include "ctl/help.h"
#include "ctl/json_text.h"
#include "ctl/parser.h"
#include "ctl/version.h"

namespace distcron::ctl {
namespace {

bool wants_color(const Globals& globals, const Host& host, bool is_tty) {
  if (globals.no_color || globals.color == "never") return false;
  if (globals.color == "always") return true;
  const std::string force = host.env("CLICOLOR_FORCE");
  if (!force.empty() && force != "0") return true;
  return is_tty && host.env("NO_COLOR").empty() && host.env("TERM") != "dumb";
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

Answer<OutputOptions> output_options(const Globals& globals, const Program& program) {
  OutputOptions options;
  std::string format =
      globals.output.empty() ? program.host.env("DISTCRON_OUTPUT") : globals.output;
  if (globals.json) format = "json";
  if (format.empty()) format = "table";
  const std::optional<Format> parsed = parse_format(format);
  if (!parsed) return usage("DISTCRON_OUTPUT: unknown value \"" + format + "\"");
  options.format = *parsed;
  options.columns = split_list(globals.columns);
  options.header = !globals.no_header;
  options.quiet = globals.quiet;
  options.out_color = wants_color(globals, program.host, program.streams.out_tty);
  options.err_color = wants_color(globals, program.host, program.streams.err_tty);
  options.zone = cron::Zone::utc();
  if (!globals.utc) {
    if (auto zone = cron::load_zone(program.host.zone_name())) options.zone = *zone;
  }
  return options;
}

std::string_view code_name(const Failure& failure) {
  if (failure.exit == ExitCode::kUsage) return "usage";
  if (failure.exit == ExitCode::kUnreachable) return "unreachable";
  return name_of(failure.error.code);
}

void print_failure(const Failure& failure, const std::string& request_id, Output& out) {
  if (out.is_json()) {
    JsonObject inner;
    inner.add_text("code", code_name(failure));
    inner.add_text("message", failure.error.message);
    inner.add_some("hint", failure.error.hint);
    inner.add_some("request_id", request_id);
    inner.add_json("exit", std::to_string(static_cast<int>(failure.exit)));
    out.problem(JsonObject().add_json("error", inner.text()).text());
    return;
  }
  out.problem("distcronctl: " + failure.error.message);
  std::string_view hint = failure.error.hint;
  while (!hint.empty()) {
    const std::size_t end = std::min(hint.find('\n'), hint.size());
    out.problem("  " + std::string(hint.substr(0, end)));
    hint.remove_prefix(std::min(end + 1, hint.size()));
  }
  if (!request_id.empty() &&
      (failure.exit == ExitCode::kTimeout || failure.exit == ExitCode::kInternal)) {
    out.problem("  request id: " + request_id);
  }
}

/// Whether a line that could not be parsed asks for JSON errors.
bool asks_for_json(const std::vector<std::string>& args) {
  for (std::size_t i = 0; i < args.size() && args[i] != "--"; ++i) {
    const std::string& word = args[i];
    if (word == "--json" || word == "-ojson" || word == "--output=json") return true;
    if ((word == "-o" || word == "--output") && i + 1 < args.size() && args[i + 1] == "json") {
      return true;
    }
  }
  return false;
}

Outcome without_command(const ParsedLine& line, const Globals& globals, Output& out) {
  if (!line.group.empty()) {
    if (globals.help) {
      out.page(group_help(line.group));
      return ExitCode::kOk;
    }
    out.problem(group_help(line.group));
    return usage(line.group + ": which command?");
  }
  out.page(globals.help ? full_help() : short_help());
  return ExitCode::kOk;
}

}  // namespace

int run_program(const std::vector<std::string>& args, const Program& program) {
  Globals globals;
  Answer<ParsedLine> line = parse_line(args, globals);
  if (!line && asks_for_json(args)) globals.json = true;
  const auto options = output_options(globals, program);
  Streams streams = program.streams;
  if (globals.no_pager) streams.page = streams.out;
  Output out(streams, options ? *options : OutputOptions{});
  const auto end = [&out](const Failure& failure, const std::string& request_id) {
    print_failure(failure, request_id, out);
    return static_cast<int>(failure.exit);
  };
  if (!line) return end(line.error(), "");
  if (!options) return end(options.error(), "");
  if (globals.version && line->command == nullptr) {
    out.line("distcronctl " + std::string(version()));
    return 0;
  }
  if (line->command != nullptr && globals.help) {
    out.page(command_help(*line->command));
    return 0;
  }
  if (line->command != nullptr && line->command->patience) {
    globals.request_timeout = *line->command->patience;
    globals.quiet = true;
  }
  const std::unique_ptr<Client> client = program.make_client(globals, program.host, out);
  Context context{*client, out, program.host, globals, program.host.now()};
  const Outcome outcome =
      line->command == nullptr ? without_command(*line, globals, out) : line->bound.run(context);
  if (!outcome) return end(outcome.error(), client->request_id());
  return static_cast<int>(*outcome);
}

}  // namespace distcron::ctl
