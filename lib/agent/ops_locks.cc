// SPDX-License-Identifier: Apache-2.0
// Operations on the places that runs keep, and on runs whose host is silent.
#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/operations.h"

namespace distcron::agent {

namespace {

constexpr Micros kReleaseWait{3'000'000};

/// 0: not a whole number.
std::int64_t run_id_of(const std::string& text) {
  std::int64_t id = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  return error == std::errc{} && stop == end ? id : 0;
}

}  // namespace

bool Operations::is_silent(std::int64_t node_id) const {
  wire::NodeItem item;
  item.id = node_id;
  fleet_.look_at(item, now_);
  return item.state == "suspect" || item.state == "dead";
}

wire::RunItem Operations::item_of(const model::Run& run) const {
  wire::RunItem item = run_item(run);
  if (run.state == model::RunState::kRunning && is_silent(run.node_id)) item.suspect = true;
  return item;
}

Result<std::vector<planner::Place>> Operations::places_of(const Call& call,
                                                          const std::string& name) const {
  std::vector<planner::Place> places = state_.places();
  std::erase_if(places, [this, &call](const planner::Place& place) {
    const planner::Job* job = state_.find_job(place.job_uid);
    return job != nullptr && !may_touch(call.caller(), *job->spec);
  });
  if (name.empty()) return places;
  const std::int64_t run_id = run_id_of(name);
  std::uint64_t uid = 0;
  if (run_id == 0) {
    DC_TRY(const planner::Job* const job, resolve_one(call.caller(), name));
    uid = job->uid;
  }
  std::erase_if(places, [run_id, uid](const planner::Place& place) {
    return run_id != 0 ? place.run_id != run_id : place.job_uid != uid;
  });
  return places;
}

void Operations::lock_list(const Call& call, const wire::LockRequest& request) {
  ask_scheduler(call, [this, call, name = request.name](const wire::Reply* theirs) {
    if (theirs != nullptr) return call.answer_as(*theirs);
    const auto places = places_of(call, name);
    if (!places) return call.refuse(places.error());
    wire::LockList out;
    for (const planner::Place& place : *places) {
      wire::LockItem item;
      const planner::Job* job = state_.find_job(place.job_uid);
      const planner::Node* node = state_.find_node(place.node_id);
      if (job != nullptr) item.name = job->spec->name;
      if (node != nullptr) item.node = node->name;
      item.run_id = place.run_id;
      item.node_id = place.node_id;
      item.attempt = place.attempt;
      item.state =
          model::name_of(place.live != nullptr ? place.live->state : model::RunState::kUnknown);
      if (place.live != nullptr) {
        const model::Run& run = *place.live;
        item.since = run.started_at ? run.started_at : run.dispatched_at;
      }
      if (is_silent(place.node_id)) item.suspect = true;
      out.items.push_back(std::move(item));
    }
    call.answer(out);
  });
}

/// Only the scheduler knows who is silent.
void Operations::lock_release(const Call& call, const wire::LockRequest& request) {
  if (state_.feature_level() < model::kReleaseLevel) {
    call.refuse(Error{ErrorCode::kUnavailable,
                      "cannot release a place: not all nodes have a version that knows it", 0,
                      "distcronctl cluster upgrade --check shows them"});
    return;
  }
  if (!log_.is_scheduler()) {
    const std::int64_t leader = log_.raft().leader();
    if (call.is_relayed() || leader == 0) {
      call.refuse(Error{ErrorCode::kUnavailable, "the cluster has no scheduler now", 0, {}});
      return;
    }
    return relay(call, leader, kReleaseWait);
  }
  auto places = places_of(call, request.name);
  if (!places) return call.refuse(places.error());
  if (places->empty()) {
    const bool is_run = run_id_of(request.name) != 0;
    const std::string what = (is_run ? "run " : "job \"") + request.name + (is_run ? "" : "\"");
    call.refuse(Error{is_run ? ErrorCode::kNotFound : ErrorCode::kConflict,
                      what + (is_run ? " keeps no place" : " has no run that keeps its place"), 0,
                      "who keeps one: distcronctl lock list"});
    return;
  }
  model::ReleaseRuns command;
  for (const planner::Place& place : *places) {
    const bool is_lost = place.live == nullptr || is_silent(place.node_id);
    if (is_lost || request.force) command.run_ids.push_back(place.run_id);
  }
  if (command.run_ids.empty()) {
    const planner::Place& place = places->front();
    const std::string id = std::to_string(place.run_id);
    call.refuse(Error{ErrorCode::kConflict,
                      "cannot release run " + id + ": it is " +
                          std::string(model::name_of(place.live->state)) +
                          " and its host is in touch",
                      0,
                      "end it: distcronctl kill " + id +
                          "; or give its place away while it goes on, with --force"});
    return;
  }
  submit(call, std::move(command));
}

}  // namespace distcron::agent
