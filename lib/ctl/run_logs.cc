// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <regex.h>

#include "ctl/command_list.h"
#include "ctl/output.h"
#include "ctl/run_ref.h"
#include "ctl/run_watch.h"

namespace distcron::ctl {
namespace {

struct Options {
  std::vector<std::string> runs;
  bool follow = false;
  std::int64_t lines = 0;
  std::string stream = "out";
  std::int64_t attempt = 0;
  std::string grep;
  bool prefix = false;
  bool raw = false;
};

void add_flags(Flags& flags, Options& o) {
  flags.words({"(JOB|RUN)", 1, 1}, o.runs);
  flags.add({"follow", 'f', "", "go on while it runs"}, o.follow);
  flags.add({"lines", 'n', "LINES", "only the last lines"}, o.lines);
  flags.add({"stream", 0, "STREAM", "which output, for jobs with output.split"}, o.stream)
      .one_of({"out", "err", "both"});
  flags.add({"attempt", 0, "N", "of this attempt, the latest by default"}, o.attempt);
  flags.add({"grep", 0, "RE", "only lines that match this extended regular expression"}, o.grep);
  flags.add({"prefix", 0, "", "put the run's name in front of each line"}, o.prefix);
  flags.add({"raw", 0, "", "the job's bytes and nothing else, on a terminal too"}, o.raw);
}

struct FreeRegex {
  void operator()(regex_t* regex) const noexcept {
    ::regfree(regex);
    delete regex;
  }
};

using RegexHandle = std::unique_ptr<regex_t, FreeRegex>;

Answer<RegexHandle> compile_regex(const std::string& text) {
  auto storage = std::make_unique<regex_t>();
  const int code = ::regcomp(storage.get(), text.c_str(), REG_EXTENDED | REG_NOSUB);
  if (code != 0) {
    std::string message(200, '\0');
    ::regerror(code, storage.get(), message.data(), message.size());
    return usage("--grep: " + message.substr(0, message.find('\0')));
  }
  return RegexHandle(storage.release());
}

/// Cuts bytes into lines and passes on those that match.
class LineFilter {
 public:
  LineFilter(RegexHandle regex, std::string prefix, Output& out)
      : regex_(std::move(regex)), prefix_(std::move(prefix)), out_(out) {}

  void take(std::string_view bytes) {
    pending_ += bytes;
    std::size_t begin = 0;
    for (std::size_t end = pending_.find('\n'); end != std::string::npos;
         end = pending_.find('\n', begin)) {
      show(pending_.substr(begin, end - begin));
      begin = end + 1;
    }
    pending_.erase(0, begin);
  }

  void finish() {
    if (!pending_.empty()) show(std::exchange(pending_, std::string()));
  }

 private:
  void show(const std::string& line) {
    if (regex_ != nullptr && ::regexec(regex_.get(), line.c_str(), 0, nullptr, 0) != 0) return;
    out_.line(prefix_ + line);
  }

  RegexHandle regex_;
  std::string prefix_;
  Output& out_;
  std::string pending_;
};

Outcome show_stream(const Options& o, LogPlan plan, Context& context) {
  Output& out = context.out;
  RegexHandle regex;
  if (!o.grep.empty()) {
    DC_TRY(regex, compile_regex(o.grep));
  }
  const bool by_line = !o.grep.empty() || o.prefix;
  LineFilter filter(std::move(regex), o.prefix ? o.runs.front() + ": " : "", out);
  char last = '\n';
  DC_TRY(const std::string state,
         stream_logs(
             context, plan,
             [&](std::string_view bytes) {
               if (by_line) return filter.take(bytes);
               out.write(bytes);
               last = bytes.back();
             },
             [&](std::int64_t cut) {
               if (!o.raw && out.out_is_tty()) {
                 out.talk("... " + std::to_string(cut) + " bytes left out ...");
               }
             }));
  filter.finish();
  if (!o.raw && out.out_is_tty() && last != '\n') out.write("\n");
  if (plan.follow && state != "ok") out.hint("the run ended: " + state);
  return ExitCode::kOk;
}

Outcome run(const Options& o, Context& context) {
  if (o.lines < 0) return usage("-n takes 0 or more");
  LogPlan plan;
  DC_TRY(plan.run, parse_run_ref(o.runs.front(), context));
  plan.attempt = static_cast<std::int32_t>(o.attempt);
  plan.lines = o.lines;
  plan.follow = o.follow;
  plan.stream = o.stream == "err" ? "err" : "out";
  if (o.stream == "both" && o.follow) {
    return usage("--stream both cannot be followed; follow out or err");
  }
  DC_TRY(const ExitCode exit, show_stream(o, plan, context));
  if (o.stream != "both") return exit;
  plan.stream = "err";
  return show_stream(o, plan, context);
}

}  // namespace

CommandSpec run_logs_command() {
  return make_command<Options>(
      {"logs",
       "show the output of a run",
       "JOB means its newest run. Without --stream, stdout and stderr come as one stream in "
       "their exact order, unless the job has output.split = true. When stdout is no terminal, "
       "and with --raw, the bytes are passed on unchanged.",
       {{"logs backup-db", "of the newest run"},
        {"logs -f 8123", "while it runs"},
        {"logs backup-db@-1 -n 20", "the last lines of the run before"},
        {"logs backup-db --grep 'error|warning'", "only some lines"}}},
      add_flags, run);
}

}  // namespace distcron::ctl
