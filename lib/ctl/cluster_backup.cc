// SPDX-License-Identifier: Apache-2.0
// cluster backup and cluster restore.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/changes.h"
#include "ctl/command_list.h"
#include "ctl/danger.h"
#include "ctl/host.h"
#include "ctl/json_text.h"
#include "ctl/places.h"
#include "ctl/storage_dir.h"
#include "model/units.h"
#include "store/backup.h"
#include "store/crc32c.h"

namespace distcron::ctl {
namespace {

constexpr unsigned kBackupMode = 0600;
constexpr std::string_view kSystemStorage = "/var/lib/distcron";
constexpr Millis kMakePatience{60'000};

struct BackupOptions {
  std::vector<std::string> files;
  bool verify = false;
};

struct RestoreOptions {
  std::vector<std::string> files;
  std::string storage;
  bool as_new = false;
  std::string confirm;
};

void add_backup_flags(Flags& flags, BackupOptions& o) {
  flags.words({"[FILE|-]", 0, 1}, o.files);
  flags.add({"verify", 0, "", "read the file again and check all of it"}, o.verify);
}

void add_restore_flags(Flags& flags, RestoreOptions& o) {
  flags.words({"FILE", 1, 1}, o.files);
  flags.add({"storage", 0, "DIR", "the agent's storage.dir; the default one by default"},
            o.storage);
  flags.add({"as-new", 0, "", "make it another cluster, beside the one that still runs"}, o.as_new);
  flags.add({"confirm", 0, "NAME", "name of the cluster in the file, instead of the question"},
            o.confirm);
}

/// "2026-11-18T122640Z": good in names of files.
std::string stamp(WallTime at) {
  std::string text = model::format_utc(at);
  std::erase(text, ':');
  return text;
}

struct Backup {
  std::string bytes;
  std::int64_t index = 0;
};

Answer<Backup> fetch(Context& context) {
  Backup out;
  wire::BackupRequest request;
  std::int64_t crc = 0;
  std::int64_t size = 0;
  do {
    const Millis patience = request.id.empty() ? kMakePatience : Millis{0};
    DC_TRY(const wire::BackupReply piece,
           context.client.request<wire::Op::kClusterBackup>(request, patience));
    const bool is_next = piece.offset == static_cast<std::int64_t>(out.bytes.size());
    const bool must_have_some = !request.id.empty() && piece.size > request.offset;
    if (!is_next || (piece.bytes.empty() && must_have_some)) {
      return fail(ErrorCode::kIo, "cannot take the backup: a piece of it is missing");
    }
    out.bytes += piece.bytes;
    out.index = piece.index;
    size = piece.size;
    crc = piece.crc;
    request.id = piece.id;
    request.offset = static_cast<std::int64_t>(out.bytes.size());
  } while (request.offset < size);
  if (static_cast<std::int64_t>(store::crc32c(0, out.bytes)) != crc) {
    return fail(ErrorCode::kCorrupt, "cannot take the backup: its checksum is wrong");
  }
  return out;
}

Outcome backup(const BackupOptions& o, Context& context) {
  std::string path = o.files.empty() ? "" : o.files.front();
  if (path.empty()) path = "distcron-" + stamp(context.now) + ".db";
  if (path == "-" && o.verify) return usage("--verify needs a file");
  DC_TRY(const Backup made, fetch(context));
  Output& out = context.out;
  if (path == "-") {
    out.write(made.bytes);
    return ExitCode::kOk;
  }
  DC_CHECK_OK(context.host.write_file(path, made.bytes, kBackupMode));
  if (o.verify) {
    DC_TRY(const store::CopyFacts facts, store::verify_backup(path));
    out.talk("Checked: cluster " + facts.cluster_name + " as of entry " +
             std::to_string(facts.index) + ".");
  }
  if (out.is_json()) {
    JsonObject object;
    object.add_text("file", path);
    object.add_json("bytes", std::to_string(made.bytes.size()));
    object.add_json("index", std::to_string(made.index));
    out.json_object("Backup", object.text());
    return ExitCode::kOk;
  }
  if (out.format() == Format::kName) {
    out.line(path);
    return ExitCode::kOk;
  }
  out.talk("Wrote " + path + ", " +
           model::format_size({static_cast<std::int64_t>(made.bytes.size())}) + ".");
  out.hint("it can be read with: distcronctl --db " + path + " list");
  return ExitCode::kOk;
}

std::string storage_of(const RestoreOptions& o, Context& context) {
  if (!o.storage.empty()) return o.storage;
  return context.host.is_root() ? std::string(kSystemStorage) : own_storage(context.host);
}

Outcome restore(const RestoreOptions& o, Context& context) {
  RestoreOrder order;
  order.backup = o.files.front();
  order.dir = storage_of(o, context);
  order.aside = "before-restore-" + stamp(context.now);
  order.as_new = o.as_new;
  DC_TRY(const store::CopyFacts facts, store::verify_backup(order.backup));
  DC_TRY(const bool is_sure,
         confirm_name(context, o.confirm, facts.cluster_name,
                      "The state in " + order.dir + " is replaced by that of " + order.backup +
                          ", of cluster " + facts.cluster_name + "."));
  static_cast<void>(is_sure);
  Restored restored;
  if (!context.globals.dry_run) {
    DC_TRY(restored, restore_storage(order));
  }
  Output& out = context.out;
  if (out.is_json()) {
    JsonObject object;
    object.add_text("cluster", facts.cluster_name);
    object.add_text("storage", order.dir);
    object.add_json("index", std::to_string(facts.index));
    object.add_some("kept", restored.kept);
    if (context.globals.dry_run) object.add_json("dry_run", "true");
    out.json_object("Restore", object.text());
    return ExitCode::kOk;
  }
  if (context.globals.dry_run) {
    out.talk("dry run: nothing was changed");
    return ExitCode::kOk;
  }
  out.talk("Restored cluster " + facts.cluster_name + " in " + order.dir + ".");
  if (!restored.kept.empty()) out.talk("What was there lies in " + restored.kept + ".");
  out.talk("Start the agent now; it is the only member, and the other hosts join again empty.");
  return ExitCode::kOk;
}

}  // namespace

CommandSpec cluster_backup_command() {
  return make_command<BackupOptions>(
      {"cluster backup",
       "write the whole state of the cluster to a file",
       "Jobs, their versions, runs, keys and settings, as of one moment; outputs of runs are not "
       "part of it. The file is a state.db and holds the public keys of users, no secret ones.",
       {{"cluster backup", "into a file of today's name"},
        {"cluster backup --verify /srv/backup/distcron.db", "and check it"},
        {"cluster backup - | ssh vault 'cat > distcron.db'", "to another host"}}},
      add_backup_flags, backup);
}

CommandSpec cluster_restore_command() {
  return make_command<RestoreOptions>(
      {"cluster restore",
       "put a backup in the place of an agent's state",
       "On the host itself, while its agent is stopped. Whatever happened after the backup is "
       "unknown: slots since then of at-most-once jobs become unknown(restored), ids jump. The "
       "agent is then alone; stop the others, and let them join again empty. The former state is "
       "kept beside it. --yes is not enough.",
       {{"cluster restore distcron.db --confirm prod", "onto this host"},
        {"cluster restore distcron.db --as-new --storage /srv/test --confirm prod",
         "a copy to try things with"}}},
      add_restore_flags, restore);
}

}  // namespace distcron::ctl
