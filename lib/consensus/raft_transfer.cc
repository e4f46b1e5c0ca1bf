// SPDX-License-Identifier: Apache-2.0
// Leadership goes to another member without a gap (3.10).
#include <utility>

#include "base/mutant.h"
#include "consensus/raft_impl.h"

namespace distcron::consensus {

void Raft::Impl::handle(Transfer event) {
  if (role != Role::kLeader) return;
  const NodeId to = event.to == 0 ? best_target() : event.to;
  const Member* const target = member(to);
  if (target == nullptr || target->kind != MemberKind::kVoter || to == settings.self) return;
  if (to != transfer_to) start_transfer(to);
}

/// First in the order of preference among those that answer; one far behind only if nobody else is.
NodeId Raft::Impl::best_target() const {
  constexpr Index kLagMax = 64;
  const Member* best = nullptr;
  bool is_best_near = false;
  for (const Progress& peer : progress) {
    const Member* const one = member(peer.id);
    if (one == nullptr || one->kind != MemberKind::kVoter) continue;
    if (!peer.heard_at || *peer.heard_at + settings.election <= now) continue;
    const bool is_near = peer.match + kLagMax >= log.last_index();
    const bool is_better = best == nullptr || is_near > is_best_near ||
                           (is_near == is_best_near && one->rank < best->rank);
    if (!is_better) continue;
    best = one;
    is_best_near = is_near;
  }
  return best == nullptr ? 0 : best->id;
}

/// No proposals meanwhile, for one election timeout at most.
void Raft::Impl::start_transfer(NodeId to) {
  transfer_to = to;
  transfer_deadline = now + settings.election;
  Progress* const peer = find(to);
  if (peer == nullptr) return;
  send_entries(*peer);
  drive_transfer(*peer);
}

/// On each of its answers: when it has the whole log, it may skip its timeout. Repeated, because
/// the message may be lost.
void Raft::Impl::drive_transfer(Progress& peer) {
  if (peer.id != transfer_to) return;
  if (peer.match != log.last_index() && !mutant("transfer-no-catch-up")) return;
  Message message;
  message.kind = MessageKind::kTimeoutNow;
  message.to = peer.id;
  send(std::move(message));
}

void Raft::Impl::end_transfer() {
  transfer_to = 0;
}

}  // namespace distcron::consensus
