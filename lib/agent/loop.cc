// SPDX-License-Identifier: Apache-2.0
// The loop of the agent: one turn is wait, read clocks, drain sources, step, then effects in the
// order persist, send, spawn, reply (the log pipe keeps that order for everything that changes
// state; replies that depend on nothing durable go out at once).
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "agent/log.h"
#include "agent/sockets.h"

namespace distcron::agent {

namespace {

constexpr int kMessagesPerTurn = 256;
constexpr Millis kIdleMax{5'000};  // wake at least this often: watchdog, retention
constexpr Seconds kRetainEvery{60};
constexpr Millis kOutputPause{20};  // between two pieces of work on output
constexpr Seconds kStatusEvery{5};
constexpr Seconds kMarkEvery{60};
constexpr std::int64_t kPrunePerTurn = 1'000;
constexpr Seconds kEphemeralGrace{5};  // for jobs to die when an ephemeral agent ends

enum PollSlot : std::size_t { kSignal, kTimer, kClockSet, kStore, kExecutor, kInotify, kSlotCount };

void arm(int fd, MonoTime at) {
  itimerspec spec{};
  const std::int64_t us = std::max<std::int64_t>(1, at.time_since_epoch().count());
  spec.it_value.tv_sec = us / 1'000'000;
  spec.it_value.tv_nsec = (us % 1'000'000) * 1'000;
  static_cast<void>(::timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, nullptr));
}

/// Makes the descriptor readable when the wall clock is set (and in a year).
void watch_clock(int fd) {
  itimerspec spec{};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  spec.it_value.tv_sec = now.tv_sec + 365 * 86'400;
  static_cast<void>(
      ::timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, nullptr));
}

/// The next SIGTERM or SIGINT ends the process at once: whoever sends a second one does not want to
/// wait for the disk, or for the jobs of an ephemeral agent.
void let_signals_end() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signum : {SIGTERM, SIGINT}) {
    ::signal(signum, SIG_DFL);
    sigaddset(&set, signum);
  }
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void drain_counter(int fd) {
  std::uint64_t count = 0;
  if (::read(fd, &count, sizeof count) < 0) return;  // it had not run out
}

}  // namespace

Status Agent::Sockets::open(const mesh::KeyPair& server, const std::vector<std::string>& endpoints,
                            IsKnown is_known, const std::string& login_path, Login login_handler) {
  DC_TRY(control, mesh::ControlServer::make(context, server, endpoints, std::move(is_known)));
  DC_TRY(login, mesh::LoginServer::make(login_path, std::move(login_handler)));
  return {};
}

Result<ExitCause> Agent::run() {
  watch_clock(clock_fd_.get());
  now_ = clock_.read();
  log_->begin_turn(now_);
  introduce();
  while (!stops_) {
    turn();
    if (disk_failed_) return ExitCause::kDiskError;
    if (refusal_) return fail(*refusal_);
    if (restarts_) break;
  }
  if (!restarts_) static_cast<void>(::sd_notify(0, "STOPPING=1"));
  if (!restarts_) let_signals_end();
  if (options_.is_ephemeral && !restarts_) end_jobs();
  store_->stop();
  return restarts_ ? ExitCause::kRestart : ExitCause::kSignal;
}

void Agent::turn() {
  wait_for_events();
  now_ = clock_.read();
  clock_guard_.observe(now_, is_clock_synchronised());
  if (clock_guard_.has_jumped()) scheduler_->wake();

  log_->begin_turn(now_);
  operations_->begin_turn(now_);
  on_signals();
  on_store();
  fleet_->on_mesh(now_);
  log_->on_timer();
  fleet_->on_timer(now_);
  // Whatever was applied may make something due.
  if (std::exchange(seen_applied_, log_->last_applied()) != log_->last_applied()) {
    scheduler_->wake();
  }
  if (fleet_->take_hosts_changed()) scheduler_->wake();
  if (const auto decided = state_.decided_at()) clock_guard_.on_decided(*decided, now_);
  on_role();
  leave();
  host_->on_executor(now_);
  on_control();
  sockets_->login->poll();
  poll_joining();
  tend_local_runs();
  host_->on_timer(now_);
  operations_->on_timer(now_);
  if (crontabs_) crontabs_->on_timer(now_);
  if (schedules()) {
    scheduler_->turn(now_, clock_guard_.is_trusted());
  } else {
    scheduler_->stand_by();
  }
  const bool holds = !identity_.is_forced;
  // One that leaves decides nothing more, but who is to take over may only now come in.
  log_->hold_changes(holds && !is_leaving_ && (!schedules() || scheduler_->is_behind()),
                     holds && (is_leaving_ || scheduler_->awaits_local_runs()));
  host_->propose_reports(now_);
  retain();
  tend_output();
  log_->flush();
  tell_refusals();
  notify_status();
  keep_marks();
}

void Agent::wait_for_events() {
  std::vector<zmq::pollitem_t>& items = sockets_->items;
  items.assign(kSlotCount, zmq::pollitem_t{nullptr, -1, 0, 0});
  const auto watch = [&items](PollSlot slot, int fd, short events) {
    if (fd >= 0) items[slot] = zmq::pollitem_t{nullptr, fd, events, 0};
  };
  watch(kSignal, signal_fd_.get(), ZMQ_POLLIN);
  watch(kTimer, timer_fd_.get(), ZMQ_POLLIN);
  watch(kClockSet, clock_fd_.get(), ZMQ_POLLIN);
  watch(kStore, store_->wake_fd(), ZMQ_POLLIN);
  const bool writes = host_->executor_wants_write();
  watch(kExecutor, host_->executor_fd(),
        static_cast<short>(ZMQ_POLLIN | (writes ? ZMQ_POLLOUT : 0)));
  if (crontabs_) watch(kInotify, crontabs_->fd(), ZMQ_POLLIN);
  for (void* socket : sockets_->control->sockets()) {
    items.push_back(zmq::pollitem_t{socket, 0, ZMQ_POLLIN, 0});
  }
  if (joining_ && joining_->socket() != nullptr) {
    items.push_back(zmq::pollitem_t{joining_->socket(), 0, ZMQ_POLLIN, 0});
  }
  for (void* socket : mesh_->sockets()) {
    items.push_back(zmq::pollitem_t{socket, 0, ZMQ_POLLIN, 0});
  }
  for (const auto& [fd, events] : sockets_->login->poll_fds()) {
    items.push_back(zmq::pollitem_t{nullptr, fd, events, 0});
  }
  // zmq polls a negative descriptor of an absent source as an error: leave those out.
  std::erase_if(items,
                [](const zmq::pollitem_t& item) { return item.socket == nullptr && item.fd < 0; });
  arm_timer();
  try {
    zmq::poll(items.data(), items.size(), kIdleMax);
  } catch (const zmq::error_t& error) {
    if (error.num() != EINTR) throw;
  }
}

void Agent::arm_timer() {
  std::optional<MonoTime> next;
  const auto sooner = [&next](std::optional<MonoTime> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  sooner(host_->next_timer());
  sooner(local_->next_timer());
  sooner(operations_->next_timer());
  if (schedules()) sooner(scheduler_->next_timer(now_));
  if (!schedules() && scheduler_->has_standby_work()) sooner(now_.mono);
  if (joining_) sooner(joining_->next_timer());
  sooner(log_->next_timer());
  sooner(fleet_->next_timer());
  if (crontabs_) sooner(crontabs_->next_timer());
  if (output_keeper_.has_work() || output_log_->has_work()) sooner(next_output_);
  if (next) arm(timer_fd_.get(), *next);
}

void Agent::on_signals() {
  drain_counter(timer_fd_.get());
  std::uint64_t ignored = 0;
  if (::read(clock_fd_.get(), &ignored, sizeof ignored) < 0 && errno == ECANCELED) {
    watch_clock(clock_fd_.get());
    scheduler_->wake();
  }
  signalfd_siginfo info{};
  while (::read(signal_fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const int signum = static_cast<int>(info.ssi_signo);
    if (signum == SIGTERM || signum == SIGINT) {
      stops_ = true;
    } else if (signum == SIGHUP) {
      if (on_reload_) on_reload_();
    }
  }
  if (crontabs_) {
    for (const zmq::pollitem_t& item : sockets_->items) {
      const bool is_inotify = item.socket == nullptr && item.fd == crontabs_->fd();
      if (is_inotify && (item.revents & ZMQ_POLLIN) != 0) crontabs_->on_event(now_);
    }
  }
}

void Agent::on_store() {
  for (store::Completion& completion : store_->take_completions())
    on_completion(completion);
  if (log_->corrupt()) stop_for(*log_->corrupt());
}

void Agent::on_completion(store::Completion& completion) {
  const auto fatal = [this](const Status& status) {
    fatal_ = status.error().message;
    disk_failed_ = true;
  };
  if (const auto* durable = std::get_if<store::Durable>(&completion)) {
    if (durable->fatal) fatal(durable->status);
    log_->on_durable(*durable);
  } else if (const auto* written = std::get_if<store::StateWritten>(&completion)) {
    if (written->fatal) fatal(written->status);
  } else if (auto* done = std::get_if<store::QueryDone>(&completion)) {
    done->deliver();
  } else if (const auto* compacted = std::get_if<store::Compacted>(&completion)) {
    if (compacted->fatal) fatal(compacted->status);
    log_->on_compacted(*compacted);
  } else if (const auto* made = std::get_if<store::SnapshotMade>(&completion)) {
    log_->on_snapshot_made(*made);
  } else if (const auto* read = std::get_if<store::SnapshotRead>(&completion)) {
    log_->on_snapshot_read(*read);
  } else if (const auto* stored = std::get_if<store::PieceStored>(&completion)) {
    if (stored->fatal) fatal(stored->status);
    log_->on_piece_stored(*stored);
  } else if (auto* installed = std::get_if<store::SnapshotInstalled>(&completion)) {
    on_installed(*installed);
  } else if (const auto* backed_up = std::get_if<store::BackedUp>(&completion)) {
    operations_->on_backed_up(*backed_up);
  }
}

/// The whole state came from another member: everything made from the old one is made anew.
void Agent::on_installed(store::SnapshotInstalled& installed) {
  state_ = planner::State([this](std::string_view name) { return find_zone(name); });
  for (planner::Job& job : installed.loaded->jobs) {
    if (Status loaded = state_.load_job(std::move(job)); !loaded) return stop_for(loaded.error());
  }
  load_state(*installed.loaded);
  log_->on_installed(installed.index);
  host_->start_over();
  fleet_->refresh_peers();
}

void Agent::stop_for(const Error& error) {
  if (!refusal_) refusal_ = error;
}

bool Agent::schedules() const {
  return is_introduced_ && !is_leaving_ && !identity_.is_forced && log_->is_scheduler();
}

void Agent::tell_scheduler() {
  const consensus::NodeId leader = log_->raft().leader();
  if (leader == told_scheduler_) return;
  const auto text_of = [this](consensus::NodeId id) {
    const model::Node* node = state_.find_node(id);
    return node == nullptr ? "node " + std::to_string(id) : node->name;
  };
  const std::string term = " term=" + std::to_string(log_->raft().term());
  if (leader != 0) {
    log_info("fleet", text_of(leader) + " is the scheduler" + term);
  } else {
    log_info("fleet", "no scheduler is known, the last was " + text_of(told_scheduler_) + term);
  }
  told_scheduler_ = leader;
}

/// What follows from a change of scheduler, term or members.
void Agent::on_role() {
  if (!log_->take_role_changed()) return;
  tell_scheduler();
  fleet_->refresh_peers();
  if (log_->is_scheduler()) scheduler_->wake();
  const model::Node* self = state_.find_node(identity_.node_id);
  const bool leaves = self != nullptr && !model::is_member(*self);
  if (leaves && !std::exchange(is_leaving_, true)) {
    log_info("agent", "this host is no member any more; it stays until its vote is dropped");
  }
  log_->set_eligible(self == nullptr || self->eligible);
}

/// It is no member any more: it starts and decides nothing, and stops when its vote is not needed.
void Agent::leave() {
  if (!is_leaving_ || stops_ || refusal_ || !fleet_->may_stop()) return;
  const model::Node* self = state_.find_node(identity_.node_id);
  if (self != nullptr && self->state == model::NodeState::kLeft) {
    log_info("agent", "stops: this host has left the cluster; to join again, empty " +
                          options_.layout.storage_dir + " and use a new token");
    stops_ = true;
  } else {
    stop_for(Error{ErrorCode::kDenied,
                   "this host was removed from the cluster; its jobs that run go on", 0,
                   "to join again, empty " + options_.layout.storage_dir +
                       " and use a new token: distcronctl node join-token"});
  }
}

void Agent::on_control() {
  for (const mesh::Incoming& incoming : sockets_->control->receive(kMessagesPerTurn)) {
    mesh::ControlServer* control = sockets_->control.get();
    const std::string peer = incoming.peer;
    operations_->receive(incoming.user_id, incoming.bytes, false,
                         [control, peer](std::string reply) {
                           // A client that has gone needs no answer.
                           static_cast<void>(control->send(peer, reply));
                         });
  }
}

void Agent::tell_refusals() {
  for (mesh::Refusals* door : {&mesh_->refusals(), &sockets_->control->refusals()}) {
    for (const mesh::RefusalLine& line : door->take_lines(now_.mono, now_.wall)) {
      if (mesh::is_usual(line.reason)) {
        log_info("mesh", line.text);
      } else {
        log_warning("mesh", line.text);
      }
    }
  }
}

void Agent::on_order(const planner::Order& order) {
  if (host_) host_->on_order(order, now_);
  if (const auto* final_run = std::get_if<planner::RunFinal>(&order)) {
    // One host tells people: that of the run, else the scheduler's.
    const std::int64_t node_id = final_run->run.node_id;
    const bool tells = node_id == identity_.node_id || (node_id == 0 && log_->is_scheduler());
    if (outbox_ && tells) outbox_->on_final(final_run->run);
    if (operations_) operations_->on_final(final_run->run);
    output_keeper_.add(final_run->run.run_id);
    if (node_id == identity_.node_id) {
      log_output(process::RunKey{final_run->run.run_id, final_run->run.attempt},
                 final_run->run.job);
    }
  }
  const auto* ended = std::get_if<planner::EndCommitted>(&order);
  if (ended != nullptr && ended->node_id == identity_.node_id) {
    // Its run lives on: another attempt follows.
    const model::Run* run = state_.find_live_run(ended->run_id);
    if (run != nullptr) log_output(process::RunKey{ended->run_id, ended->attempt}, run->job);
  }
}

/// Of an attempt that has just ended here.
void Agent::log_output(process::RunKey key, const std::string& job) {
  if (options_.logs_output && output_log_ && key.attempt > 0) output_log_->add(key, job);
}

void Agent::retain() {
  if (now_.mono < next_retain_ || !schedules()) return;
  next_retain_ = now_.mono + kRetainEvery;
  const WallTime older_than = now_.wall - options_.keep_age;
  const std::int64_t per_job = options_.keep_runs;
  store_->query([this, older_than, per_job](store::Reader& reader) -> std::function<void()> {
    auto expired = reader.expired_runs(older_than, per_job, kPrunePerTurn);
    return [this, expired = std::move(expired)]() {
      if (!expired || expired->empty()) return;
      model::Entry entry;
      entry.at = now_.wall;
      entry.actor = "scheduler";
      entry.command = model::PruneRuns{*expired};
      log_->propose(
          std::move(entry), [](const planner::Applied&) {}, Patience::kThisTerm);
    };
  });
}

void Agent::tend_output() {
  if (now_.mono < next_output_) return;
  next_output_ = now_.mono + kOutputPause;
  if (!host_->has_executor()) return;
  if (!has_listed_output_) {
    has_listed_output_ = true;
    if (const auto runs = host_->files().list_runs()) {
      for (const std::int64_t run_id : *runs)
        output_keeper_.add(run_id);
    }
  }
  output_log_->step();
  const std::vector<std::int64_t> surplus = output_keeper_.step(
      options_.keep_bytes,
      [this](std::int64_t run_id) {
        return OutputKeeper::Kept{host_->kept_bytes(run_id), host_->ended_at(run_id)};
      },
      [this](std::int64_t run_id) {
        return state_.find_live_run(run_id) != nullptr || local_->knows(run_id);
      });
  for (const std::int64_t run_id : surplus)
    host_->remove_output(run_id);
}

void Agent::notify_status() {
  // Alone it is ready when it has made its cluster; among others it answers at once.
  if (!is_ready_) is_ready_ = is_introduced_ || !log_->is_alone();
  if (!is_ready_ || now_.mono < next_status_) return;
  next_status_ = now_.mono + kStatusEvery;
  const std::string role = log_->is_scheduler() ? "scheduler" : "member";
  const std::string status = "READY=1\nWATCHDOG=1\nSTATUS=" + role + " term " +
                             std::to_string(log_->term()) + ", " +
                             std::to_string(host_->live_count()) + " running";
  static_cast<void>(::sd_notify(0, status.c_str()));
  if (on_ready_) std::exchange(on_ready_, nullptr)();
}

/// Before the host: it asks its executor anew when this one goes on alone, or is so no longer.
void Agent::tend_local_runs() {
  const std::int64_t before = local_->unsaid();
  const bool is_cast_out = !log_->raft().has_quorum() && fleet_->is_cast_out();
  local_->turn(now_, clock_guard_.is_trusted(), is_cast_out);
  if (before > 0 && local_->unsaid() == 0) fleet_->report_soon();
}

void Agent::keep_marks() {
  const WallTime passed = clock_guard_.floor();
  if (passed < kept_passed_ || passed >= kept_passed_ + kMarkEvery) {
    kept_passed_ = passed;
    post_mark(passed_mark_, passed);
  }
  const bool is_due = !next_contact_ || *next_contact_ <= now_.mono;
  if (!is_due || !clock_guard_.is_trusted() || !log_->raft().has_quorum()) return;
  next_contact_ = now_.mono + kMarkEvery;
  post_mark(contact_mark_, now_.wall);
}

/// By the store's thread: a disk that hangs must not hold up this one.
void Agent::post_mark(const TimeMark& mark, WallTime at) {
  store_->query([mark, at](store::Reader&) {
    static_cast<void>(mark.keep(at));  // the next minute tries again
    return std::function<void()>([] {});
  });
}

void Agent::end_jobs() {
  host_->kill_all();
  const MonoTime until = now_.mono + kEphemeralGrace;
  while (host_->live_count() > 0 && now_.mono < until) {
    wait_for_events();
    now_ = clock_.read();
    log_->begin_turn(now_);
    on_store();
    fleet_->on_mesh(now_);
    log_->on_timer();
    host_->on_executor(now_);
    host_->propose_reports(now_);
    log_->flush();
  }
}

}  // namespace distcron::agent
