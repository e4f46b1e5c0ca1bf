// SPDX-License-Identifier: Apache-2.0
// Who may do what: whoami, keygen, login, key list, key add and key rm.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ctl/changes.h"
#include "ctl/choices.h"
#include "ctl/command_list.h"
#include "ctl/host.h"
#include "ctl/json_text.h"
#include "ctl/places.h"
#include "mesh/keys.h"
#include "mesh/login_server.h"
#include "wire/json.h"

namespace distcron::ctl {
namespace {

constexpr unsigned kKeyFileMode = 0600;

struct NoOptions {};

struct KeygenOptions {
  std::string out;
  std::string name;
  std::string server_key;
  bool force = false;
};

struct LoginOptions {
  std::string out;
  std::string socket;
};

struct KeyAddOptions {
  std::vector<std::string> words;
  std::string role;
  std::vector<std::string> run_as;
  std::string jobs;
};

struct KeyRemoveOptions {
  std::vector<std::string> names;
};

void add_no_flags(Flags& flags, NoOptions& o) {
  static_cast<void>(flags);
  static_cast<void>(o);
}

void add_keygen_flags(Flags& flags, KeygenOptions& o) {
  flags.add({"out", 0, "FILE", "where the key file goes, ~/.config/distcron/client.key by default"},
            o.out);
  flags.add({"name", 0, "NAME", "name in the file, USER@HOST by default"}, o.name);
  flags.add({"server-key", 0, "KEY", "the cluster's public key; from the key in use by default"},
            o.server_key);
  flags.add({"force", 0, "", "replace a file that exists"}, o.force);
}

void add_login_flags(Flags& flags, LoginOptions& o) {
  flags.add({"out", 0, "FILE", "where the key file goes, ~/.config/distcron/client.key by default"},
            o.out);
  flags.add({"socket", 0, "PATH", "the login socket; beside the control socket by default"},
            o.socket);
}

void add_key_add_flags(Flags& flags, KeyAddOptions& o) {
  flags.words({"NAME PUBLIC_KEY", 2, 2, mesh::is_key_text}, o.words);
  flags.add({"role", 0, "ROLE", "what it may do"}, o.role)
      .one_of({"viewer", "operator", "editor", "admin", "self"});
  flags.add({"run-as", 0, "USER", "user that its jobs may run as"}, o.run_as);
  flags.add({"jobs", 0, "GLOB", "only these jobs"}, o.jobs);
}

void add_key_rm_flags(Flags& flags, KeyRemoveOptions& o) {
  flags.words({"NAME", 1, 1}, o.names);
}

Outcome whoami(const NoOptions& o, Context& context) {
  static_cast<void>(o);
  DC_TRY(const wire::WhoamiReply reply, context.client.request<wire::Op::kWhoami>({}));
  Output& out = context.out;
  if (out.is_json()) {
    out.json_object("Whoami", wire::to_json(reply));
  } else if (out.format() == Format::kName) {
    out.line(reply.name);
  } else {
    std::string users;
    for (const std::string& user : reply.run_as)
      users += (users.empty() ? "" : ", ") + user;
    out.line("key    " + reply.name);
    out.line("role   " + reply.role);
    if (!reply.host.empty()) {
      out.line("       " + reply.host_role + " of jobs that can run only on " + reply.host);
    }
    if (!users.empty()) out.line("users  " + users);
  }
  return ExitCode::kOk;
}

/// The cluster's public key in the key file that is in use; empty when there is none.
std::string known_server_key(const Context& context) {
  const auto path = mesh::find_key_file(key_places(context));
  if (!path) return "";
  const auto key = mesh::load_key_file(*path);
  return key ? key->server_key : "";
}

Outcome keygen(const KeygenOptions& o, Context& context) {
  const std::string path = o.out.empty() ? client_key_path(context.host) : o.out;
  if (!o.force && context.host.is_readable(path)) {
    return fail_hint(ErrorCode::kConflict, path + " exists already",
                     "write another one with --out FILE, or replace it with --force");
  }
  mesh::KeyFile file;
  file.name = o.name.empty() ? context.host.user_name() + "@" + context.host.host_name() : o.name;
  file.server_key = o.server_key.empty() ? known_server_key(context) : o.server_key;
  if (!file.server_key.empty() && !mesh::is_key_text(file.server_key)) {
    return usage("--server-key: not a key: 40 characters of z85");
  }
  DC_TRY(mesh::KeyPair pair, mesh::make_key_pair());
  file.public_key = std::move(pair.public_key);
  file.secret_key = std::move(pair.secret_key);
  DC_CHECK_OK(context.host.write_file(path, mesh::format_key_file(file), kKeyFileMode));
  Output& out = context.out;
  if (out.is_json()) {
    JsonObject object;
    object.add_text("name", file.name).add_text("public_key", file.public_key);
    object.add_text("file", path);
    out.json_object("KeyFile", object.text());
    return ExitCode::kOk;
  }
  out.line(file.public_key);
  out.talk("Wrote " + path + ".");
  out.talk("An admin registers it: distcronctl key add " + file.name + " '" + file.public_key +
           "' --role ROLE");
  if (file.server_key.empty()) {
    out.talk("It lacks server_key: the agents' public key, as in any other key file.");
  }
  return ExitCode::kOk;
}

std::string login_socket(const LoginOptions& o, const Context& context) {
  if (!o.socket.empty()) return o.socket;
  const std::string endpoint = find_agent(context.globals, context.host).endpoint;
  constexpr std::string_view kScheme = "ipc://";
  if (!endpoint.starts_with(kScheme)) return "";
  const std::string path = endpoint.substr(kScheme.size());
  return path.substr(0, path.rfind('/') + 1) + "login.sock";
}

Outcome login(const LoginOptions& o, Context& context) {
  const std::string socket = login_socket(o, context);
  if (socket.empty()) {
    return usage("login works only on the agent's own host",
                 "elsewhere: distcronctl keygen, and an admin's distcronctl key add");
  }
  const std::string path = o.out.empty() ? client_key_path(context.host) : o.out;
  mesh::KeyFile file;
  if (context.host.is_readable(path)) {
    DC_TRY(file, mesh::load_key_file(path));
  } else {
    DC_TRY(mesh::KeyPair pair, mesh::make_key_pair());
    file.name = context.host.user_name() + "@" + context.host.host_name();
    file.public_key = std::move(pair.public_key);
    file.secret_key = std::move(pair.secret_key);
  }
  auto server_key = mesh::login(socket, file.public_key);
  if (!server_key) {
    const bool is_away = server_key.error().code == ErrorCode::kUnavailable;
    Failure failure(std::move(server_key).error());
    if (is_away) failure.exit = ExitCode::kUnreachable;
    return tl::unexpected<Failure>(std::move(failure));
  }
  file.server_key = std::move(*server_key);
  DC_CHECK_OK(context.host.write_file(path, mesh::format_key_file(file), kKeyFileMode));
  context.out.talk("Logged in as " + file.name + "; the key is in " + path + ".");
  context.out.hint("  see: distcronctl whoami");
  return ExitCode::kOk;
}

Outcome list_keys(const NoOptions& o, Context& context) {
  static_cast<void>(o);
  DC_TRY(const wire::KeyList list, context.client.request<wire::Op::kKeyList>({}));
  Output& out = context.out;
  std::vector<std::string> texts;
  if (out.is_json()) {
    // Made by hand: AccessKey is no message, and wire/json.h promises only those.
    for (const model::AccessKey& key : list.items) {
      std::vector<std::string> users;
      for (const std::string& user : key.run_as)
        users.push_back(json_quote(user));
      JsonObject object;
      object.add_text("name", key.name).add_text("public_key", key.public_key);
      object.add_text("role", model::name_of(key.role)).add_json("run_as", json_array(users));
      object.add_some("jobs", key.jobs);
      object.add_some("host", key.host);
      texts.push_back(object.text());
    }
    out.json_list("KeyList", texts);
    return ExitCode::kOk;
  }
  Table table;
  table.columns = {{"name"}, {"role"}, {"run_as", Align::kLeft, true},
                   {"jobs"}, {"host"}, {"public_key"}};
  for (const model::AccessKey& key : list.items) {
    std::string users;
    for (const std::string& user : key.run_as)
      users += (users.empty() ? "" : ",") + user;
    texts.push_back(key.name);
    table.rows.push_back({key.name, std::string(model::name_of(key.role)), users,
                          key.jobs.empty() ? "*" : key.jobs, key.host, key.public_key});
  }
  if (Status printed = out.table(std::move(table), texts); !printed) {
    return usage(printed.error().message, printed.error().hint);
  }
  return ExitCode::kOk;
}

Outcome add_key(const KeyAddOptions& o, Context& context) {
  if (o.role.empty()) {
    return usage("key add: which role?", "--role viewer, operator, editor, admin or self");
  }
  wire::KeyRequest request;
  request.key.name = o.words[0];
  request.key.public_key = o.words[1];
  if (!mesh::is_key_text(request.key.public_key)) {
    return fail_hint(ErrorCode::kInvalid, "\"" + o.words[1] + "\" is no public key",
                     "40 characters, as keygen prints them");
  }
  request.key.role = model::parse_enum<model::Role>(o.role).value_or(model::Role::kViewer);
  request.key.run_as = o.run_as;
  request.key.jobs = o.jobs;
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kKeyAdd>(request));
  return print_changes(reply, context);
}

Outcome remove_key(const KeyRemoveOptions& o, Context& context) {
  wire::NameRequest request;
  request.name = o.names.front();
  DC_TRY(const wire::ChangeReply reply, context.client.request<wire::Op::kKeyRemove>(request));
  return print_changes(reply, context);
}

}  // namespace

CommandSpec access_whoami_command() {
  return make_command<NoOptions>(
      {"whoami",
       "show as whom the agent knows the caller",
       "The own key of a host that joined has two roles: one in the whole cluster, and one for "
       "jobs that can run only on that host.",
       {{"whoami", "name, role and users"}, {"whoami --key other.key", "with another key"}}},
      add_no_flags, whoami);
}

CommandSpec access_keygen_command() {
  return make_command<KeygenOptions>(
      {"keygen",
       "make a key file for this user",
       "Prints the public key, which an admin registers with key add. The file is readable for "
       "its owner only.",
       {{"keygen", "for oneself"}, {"keygen --out ci.key --name ci", "for a program"}}},
      add_keygen_flags, keygen);
}

CommandSpec access_login_command() {
  return make_command<LoginOptions>(
      {"login",
       "get a key of one's own from the agent of this host",
       "The agent asks the kernel who is calling. The key's role is self: jobs of one's own, run "
       "as oneself, on this host.",
       {{"login", "once per user and host"}, {"login --out other.key", "into another file"}}},
      add_login_flags, login);
}

CommandSpec access_key_list_command() {
  return make_command<NoOptions>({"key list",
                                  "list the keys that may talk to the agents",
                                  "",
                                  {{"key list", "all keys"}, {"key list -o json", "for scripts"}}},
                                 add_no_flags, list_keys);
}

CommandSpec access_key_add_command() {
  return make_command<KeyAddOptions>(
      {"key add",
       "let a key in, or change what it may do",
       "Roles, each with what the ones before it may: viewer reads, operator runs and kills, "
       "editor defines jobs, admin does everything. self: only jobs of one's own.",
       {{"key add ci 'PUBLIC_KEY' --role operator --jobs 'deploy/*'", "may run some jobs"},
        {"key add ann 'PUBLIC_KEY' --role editor --run-as www-data", "jobs as one user"}}},
      add_key_add_flags, add_key);
}

CommandSpec access_key_rm_command() {
  return make_command<KeyRemoveOptions>(
      {"key rm",
       "shut a key out",
       "",
       {{"key rm ci", "at once"}, {"key rm ci --reason 'left'", "with a reason"}}},
      add_key_rm_flags, remove_key);
}

}  // namespace distcron::ctl
