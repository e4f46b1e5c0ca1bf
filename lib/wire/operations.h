// SPDX-License-Identifier: Apache-2.0
// The operations of the product, one table: number on the wire, name, who may, whether it changes
// state. Both doors (control and HTTP) serve this table. Anything that is not in it is refused.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "model/enums.h"
#include "wire/access_messages.h"
#include "wire/node_messages.h"
#include "wire/poll_messages.h"

namespace distcron::wire {

/// Sent as a number: append only.
enum class Op : std::int32_t {
  kVersion = 1,
  kWhoami,
  kClusterStatus,
  kJobPut,
  kJobRemove,
  kJobRename,
  kJobEnable,
  kJobList,
  kJobShow,
  kJobVersions,
  kJobNext,
  kRunStart,
  kRunRerun,
  kRunKill,
  kRunHistory,
  kRunWait,
  kRunLogs,
  kExplain,
  kKeyList,
  kKeyAdd,
  kKeyRemove,
  kSettings,
  kEvents,
  kNodeList,
  kNodeShow,
  kNodeSet,
  kNodeDrain,
  kNodeUndrain,
  kNodeRemove,
  kNodeJoinToken,
  kNodeJoin,
  kNodePing,
  kClusterPause,
  kClusterResume,
  kClusterStepdown,
  kClusterBackup,
  kClusterForceQuorum,
  kClusterUpgrade,
  kLockList,
  kLockRelease,
  kClusterInit,
};

struct Operation {
  Op op;
  std::string_view name;
  model::Role role;  ///< The least; jobs of one's own are open to kSelf where `self` is true.
  bool changes;
  bool self;
};

inline constexpr std::array kOperations = {
    Operation{Op::kVersion, "version", model::Role::kViewer, false, true},
    Operation{Op::kWhoami, "whoami", model::Role::kViewer, false, true},
    Operation{Op::kClusterStatus, "cluster.status", model::Role::kViewer, false, true},
    Operation{Op::kJobPut, "job.put", model::Role::kEditor, true, true},
    Operation{Op::kJobRemove, "job.remove", model::Role::kEditor, true, true},
    Operation{Op::kJobRename, "job.rename", model::Role::kEditor, true, true},
    Operation{Op::kJobEnable, "job.enable", model::Role::kOperator, true, true},
    Operation{Op::kJobList, "job.list", model::Role::kViewer, false, true},
    Operation{Op::kJobShow, "job.show", model::Role::kViewer, false, true},
    Operation{Op::kJobVersions, "job.versions", model::Role::kViewer, false, true},
    Operation{Op::kJobNext, "job.next", model::Role::kViewer, false, true},
    Operation{Op::kRunStart, "run.start", model::Role::kOperator, true, true},
    Operation{Op::kRunRerun, "run.rerun", model::Role::kOperator, true, true},
    Operation{Op::kRunKill, "run.kill", model::Role::kOperator, true, true},
    Operation{Op::kRunHistory, "run.history", model::Role::kViewer, false, true},
    Operation{Op::kRunWait, "run.wait", model::Role::kViewer, false, true},
    Operation{Op::kRunLogs, "run.logs", model::Role::kViewer, false, true},
    Operation{Op::kExplain, "explain", model::Role::kViewer, false, true},
    Operation{Op::kKeyList, "key.list", model::Role::kAdmin, false, false},
    Operation{Op::kKeyAdd, "key.add", model::Role::kAdmin, true, false},
    Operation{Op::kKeyRemove, "key.remove", model::Role::kAdmin, true, false},
    Operation{Op::kSettings, "settings", model::Role::kAdmin, true, false},
    Operation{Op::kEvents, "events", model::Role::kViewer, false, false},
    Operation{Op::kNodeList, "node.list", model::Role::kViewer, false, true},
    Operation{Op::kNodeShow, "node.show", model::Role::kViewer, false, true},
    Operation{Op::kNodeSet, "node.set", model::Role::kAdmin, true, false},
    Operation{Op::kNodeDrain, "node.drain", model::Role::kOperator, true, false},
    Operation{Op::kNodeUndrain, "node.undrain", model::Role::kOperator, true, false},
    Operation{Op::kNodeRemove, "node.remove", model::Role::kAdmin, true, false},
    Operation{Op::kNodeJoinToken, "node.join_token", model::Role::kAdmin, true, false},
    Operation{Op::kNodeJoin, "node.join", model::Role::kAdmin, true, false},
    Operation{Op::kNodePing, "node.ping", model::Role::kViewer, false, false},
    Operation{Op::kClusterPause, "cluster.pause", model::Role::kOperator, true, false},
    Operation{Op::kClusterResume, "cluster.resume", model::Role::kOperator, true, false},
    Operation{Op::kClusterStepdown, "cluster.stepdown", model::Role::kOperator, true, false},
    Operation{Op::kClusterBackup, "cluster.backup", model::Role::kAdmin, false, false},
    Operation{Op::kClusterForceQuorum, "cluster.force_quorum", model::Role::kAdmin, true, false},
    Operation{Op::kClusterUpgrade, "cluster.upgrade", model::Role::kViewer, false, false},
    Operation{Op::kLockList, "lock.list", model::Role::kViewer, false, true},
    Operation{Op::kLockRelease, "lock.release", model::Role::kAdmin, true, false},
    Operation{Op::kClusterInit, "cluster.init", model::Role::kAdmin, true, false},
};
static_assert(kOperations.size() == static_cast<std::size_t>(Op::kClusterInit));

/// nullptr for a number that is none.
[[nodiscard]] constexpr const Operation* find_operation(std::int32_t number) {
  for (const Operation& operation : kOperations) {
    if (static_cast<std::int32_t>(operation.op) == number) return &operation;
  }
  return nullptr;
}

/// Ties the number of an operation to its request and reply types.
template <Op op>
struct OpTypes;

#define DC_OP(op, RequestType, ReplyType) \
  template <>                             \
  struct OpTypes<Op::op> {                \
    using RequestBody = RequestType;      \
    using ReplyBody = ReplyType;          \
  }
DC_OP(kVersion, Empty, VersionReply);
DC_OP(kWhoami, Empty, WhoamiReply);
DC_OP(kClusterStatus, Empty, StatusReply);
DC_OP(kJobPut, PutJobsRequest, ChangeReply);
DC_OP(kJobRemove, RemoveRequest, ChangeReply);
DC_OP(kJobRename, RenameRequest, ChangeReply);
DC_OP(kJobEnable, EnableRequest, ChangeReply);
DC_OP(kJobList, ListRequest, JobList);
DC_OP(kJobShow, ShowRequest, ShowReply);
DC_OP(kJobVersions, NameRequest, VersionsReply);
DC_OP(kJobNext, NextRequest, NextReply);
DC_OP(kRunStart, RunRequest, ChangeReply);
DC_OP(kRunRerun, RerunRequest, ChangeReply);
DC_OP(kRunKill, KillRequest, ChangeReply);
DC_OP(kRunHistory, HistoryRequest, RunList);
DC_OP(kRunWait, WaitRequest, WaitReply);
DC_OP(kRunLogs, LogsRequest, LogsReply);
DC_OP(kExplain, ExplainRequest, ExplainReply);
DC_OP(kKeyList, Empty, KeyList);
DC_OP(kKeyAdd, KeyRequest, ChangeReply);
DC_OP(kKeyRemove, NameRequest, ChangeReply);
DC_OP(kSettings, SettingRequest, SettingList);
DC_OP(kEvents, EventsRequest, EventList);
DC_OP(kNodeList, Empty, NodeList);
DC_OP(kNodeShow, NameRequest, NodeShowReply);
DC_OP(kNodeSet, NodeSetRequest, ChangeReply);
DC_OP(kNodeDrain, NodeDrainRequest, ChangeReply);
DC_OP(kNodeUndrain, NameRequest, ChangeReply);
DC_OP(kNodeRemove, NodeRemoveRequest, ChangeReply);
DC_OP(kNodeJoinToken, JoinTokenRequest, JoinTokenReply);
DC_OP(kNodeJoin, NodeJoinRequest, NodeJoinReply);
DC_OP(kNodePing, NodePingRequest, NodePingReply);
DC_OP(kClusterPause, PauseRequest, ChangeReply);
DC_OP(kClusterResume, Empty, ChangeReply);
DC_OP(kClusterStepdown, StepdownRequest, ChangeReply);
DC_OP(kClusterBackup, BackupRequest, BackupReply);
DC_OP(kClusterForceQuorum, ForceQuorumRequest, ChangeReply);
DC_OP(kClusterUpgrade, Empty, UpgradeReply);
DC_OP(kLockList, LockRequest, LockList);
DC_OP(kLockRelease, LockRequest, ChangeReply);
DC_OP(kClusterInit, InitRequest, ChangeReply);
#undef DC_OP

}  // namespace distcron::wire
