// SPDX-License-Identifier: Apache-2.0
#include "store/format.h"

#include <string>

namespace distcron::store {
namespace {

Status run_step(const Db& db, Sql step) {
  DC_CHECK_OK(db.begin());
  Status done = db.exec(step);
  if (done) done = db.commit();
  if (!done) db.roll_back();
  return done;
}

}  // namespace

Result<std::int64_t> file_version(const Db& db, const FileFormat& format) {
  DC_TRY(const std::int64_t id, db.ask("PRAGMA application_id"));
  DC_TRY(const std::int64_t version, db.ask("PRAGMA user_version"));
  DC_TRY(const std::int64_t objects, db.ask("SELECT count(*) FROM sqlite_schema"));
  if (id == 0 && version == 0 && objects == 0) return 0;
  if (id != format.application_id || version < 1) {
    return fail_hint(
        ErrorCode::kCorrupt,
        "cannot use '" + db.path() + "': it is not a " + std::string(format.name) + " of DistCron",
        "move it away, or name another directory");
  }
  const auto known = static_cast<std::int64_t>(format.steps.size());
  if (version > known) {
    return fail_hint(ErrorCode::kInvalid,
                     "cannot use '" + db.path() + "': it was written by a newer DistCron (format " +
                         std::to_string(version) + ", this one knows up to " +
                         std::to_string(known) + ")",
                     "install the newer DistCron, or restore a backup made before the upgrade");
  }
  return version;
}

Status bring_forward(const Db& db, const FileFormat& format) {
  DC_TRY(const std::int64_t version, file_version(db, format));
  for (const Sql step : format.steps.subspan(static_cast<std::size_t>(version))) {
    DC_CHECK_OK(run_step(db, step));
  }
  return {};
}

}  // namespace distcron::store
