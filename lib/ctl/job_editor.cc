// SPDX-License-Identifier: Apache-2.0
#include "ctl/job_editor.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "config/job_file.h"
#include "ctl/changes.h"
#include "ctl/host.h"
#include "ctl/job_flags.h"

namespace distcron::ctl {
namespace {

constexpr unsigned kEditFileMode = 0600;

std::string edit_path(const std::string& job, Host& host) {
  std::string name = job;
  std::replace(name.begin(), name.end(), '/', '-');
  const std::string runtime = host.env("XDG_RUNTIME_DIR");
  const std::string dir =
      runtime.empty() ? "/tmp/distcronctl-" + host.random_hex(8) : runtime + "/distcronctl";
  return dir + "/" + name + ".toml";
}

std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text)
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

Answer<bool> run_editor(const std::string& path, Context& context) {
  Host& host = context.host;
  std::string editor;
  for (const char* name : {"DISTCRON_EDITOR", "VISUAL", "EDITOR"}) {
    if (editor.empty()) editor = host.env(name);
  }
  if (editor.empty()) {
    editor = host.is_readable("/usr/bin/sensible-editor") ? "sensible-editor" : "vi";
  }
  DC_TRY(const int status, host.shell(editor + " " + shell_quoted(path)));
  if (status != 0) {
    return fail_hint(ErrorCode::kIo,
                     "the editor (" + editor + ") ended with status " + std::to_string(status),
                     "the text is in " + path);
  }
  return true;
}

/// The text without the messages that an earlier round put on top.
std::string without_messages(const std::string& text) {
  std::string kept;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size() - 1);
    if (text.compare(begin, 2, "#!") != 0) kept += text.substr(begin, end + 1 - begin);
    begin = end + 1;
  }
  return kept;
}

std::string as_messages(const std::string& message) {
  std::string lines = "#! ";
  for (const char c : message) {
    lines += c;
    if (c == '\n') lines += "#! ";
  }
  return lines + "\n";
}

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

/// The one job of an edited text.
Result<JobDraft> read_draft(const std::string& text, const JobDraft& before,
                            const std::string& path) {
  const config::JobFile file = config::parse_job_file(text, path);
  if (!file.problems.empty()) return config::fail_problems(file.problems);
  if (file.jobs.size() != 1) {
    return fail(ErrorCode::kInvalid,
                "the text defines " + std::to_string(file.jobs.size()) + " jobs, not one");
  }
  JobDraft draft = before;
  draft.spec = file.jobs.front().spec;
  draft.source_text = text;
  if (draft.spec.name != before.spec.name) {
    return fail_hint(
        ErrorCode::kInvalid,
        "the job is " + before.spec.name + " and cannot become " + draft.spec.name + " here",
        "distcronctl rename " + before.spec.name + " " + draft.spec.name);
  }
  return draft;
}

void show_difference(const model::JobSpec& before, const model::JobSpec& after, Output& out) {
  const auto old_texts = field_texts(before, true);
  const auto new_texts = field_texts(after, true);
  const auto has = [](const auto& list, const auto& row) {
    return std::find(list.begin(), list.end(), row) != list.end();
  };
  for (const auto& row : old_texts) {
    if (!has(new_texts, row)) out.talk("- " + row.first + " = " + printable(row.second));
  }
  for (const auto& row : new_texts) {
    if (!has(old_texts, row)) out.talk("+ " + row.first + " = " + printable(row.second));
  }
}

/// Asks what to do about a failure; an empty text means: give up.
std::string ask_retry(const Failure& failure, Context& context) {
  if (context.globals.no_input || !context.host.can_ask()) return "";
  context.out.problem("distcronctl: " + failure.error.message);
  if (failure.error.code == ErrorCode::kConflict) {
    const std::string answer = context.host.ask(
        "the job was changed meanwhile: store (m)ine over it, (e)dit again, (q)uit? [q] ");
    return answer == "m" || answer == "e" ? answer : "";
  }
  const std::string answer = context.host.ask("edit again? [Y/n] ");
  return answer.empty() || answer == "y" || answer == "Y" ? "e" : "";
}

tl::unexpected<Failure> edits_left(Failure failure, const std::string& path) {
  if (!failure.error.hint.empty()) failure.error.hint += "\n";
  failure.error.hint += "edits left in " + path;
  return tl::unexpected<Failure>(std::move(failure));
}

/// One round behind the editor: read, show, store. The reply, or why not.
Answer<wire::ChangeReply> store_text(const std::string& text, const JobDraft& before,
                                     const std::string& path, Context& context) {
  DC_TRY(JobDraft draft, read_draft(text, before, path));
  show_difference(before.spec, draft.spec, context.out);
  return put_job(std::move(draft), context);
}

}  // namespace

std::uint64_t random_uid(Host& host) {
  std::uint64_t uid = 0;
  const std::string digits = host.random_hex(8);
  static_cast<void>(std::from_chars(digits.data(), digits.data() + digits.size(), uid, 16));
  return uid == 0 ? 1 : uid;
}

Answer<wire::ChangeReply> put_job(JobDraft draft, Context& context) {
  wire::PutJobsRequest request;
  model::JobPut put;
  put.spec = std::move(draft.spec);
  put.source_text = std::move(draft.source_text);
  put.if_version = draft.version;
  put.mode = draft.mode;
  put.new_uid = random_uid(context.host);
  request.puts.push_back(std::move(put));
  return context.client.request<wire::Op::kJobPut>(request);
}

Answer<wire::JobDetail> fetch_job(const std::string& name, Context& context) {
  wire::ShowRequest request;
  request.targets.names = {name};
  DC_TRY(wire::ShowReply reply, context.client.request<wire::Op::kJobShow>(request));
  if (reply.items.size() != 1) {
    return fail_hint(ErrorCode::kNotFound, "no job named \"" + name + "\"",
                     "all jobs: distcronctl list");
  }
  return std::move(reply.items.front());
}

Outcome edit_job(JobDraft draft, Context& context) {
  const std::string path = edit_path(draft.spec.name, context.host);
  const std::string original =
      draft.source_text.empty() ? config::format_job_toml(draft.spec) : draft.source_text;
  std::string messages;
  std::string text = original;
  for (;;) {
    DC_CHECK_OK(context.host.write_file(path, messages + text, kEditFileMode));
    DC_CHECK_OK(run_editor(path, context));
    DC_TRY(const std::string edited, context.host.read_file(path));
    text = without_messages(edited);
    const bool is_new = draft.mode == model::PutMode::kCreate;
    if (is_blank(text) || (text == original && messages.empty() && !is_new)) {
      context.host.remove_file(path);
      context.out.talk("no changes");
      return ExitCode::kOk;
    }
    for (;;) {
      Answer<wire::ChangeReply> reply = store_text(text, draft, path, context);
      if (reply) {
        context.host.remove_file(path);
        return print_changes(*reply, context);
      }
      const std::string choice = ask_retry(reply.error(), context);
      if (choice.empty()) return edits_left(std::move(reply).error(), path);
      messages = as_messages(reply.error().error.message);
      if (reply.error().error.code == ErrorCode::kConflict) {
        DC_TRY(const wire::JobDetail theirs, fetch_job(draft.spec.name, context));
        draft.version = theirs.version;
        messages += as_messages("stored meanwhile:\n" + config::format_job_toml(theirs.spec));
      }
      if (choice == "e") break;
    }
  }
}

}  // namespace distcron::ctl
