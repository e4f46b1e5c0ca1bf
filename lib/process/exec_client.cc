// SPDX-License-Identifier: Apache-2.0
#include "process/exec_client.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "process/packet.h"

namespace distcron::process {

namespace {

constexpr int kSocketBytes = 4 << 20;

std::string pack(const Message& message) {
  std::string bytes(kMessageBytesMax, '\0');
  const std::size_t size =
      encode_message(message, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  bytes.resize(size);
  return bytes;
}

Result<UniqueFd> make_plan_file(const std::string& bytes) {
  UniqueFd file(::memfd_create("distcron-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno(ErrorCode::kIo, "cannot make a memory file for a plan", errno);
  if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return fail_errno(ErrorCode::kIo, "cannot write a plan", errno);
  }
  // The executor checks a plan, the stub reads it again later: nobody may change it between.
  const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  if (::fcntl(file.get(), F_ADD_SEALS, seals) != 0) {
    return fail_errno(ErrorCode::kIo, "cannot seal a plan", errno);
  }
  return file;
}

ExecStarted started_from(const Message& m) {
  return {m.key, m.code, static_cast<std::uint64_t>(m.a), m.b, m.c};
}

std::pair<std::string, std::string> split_text(std::string_view text) {
  const std::size_t at = text.find('\n');
  if (at == std::string_view::npos) return {std::string(), std::string(text)};
  return {std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
}

bool is_reason(int code) {
  return code >= 0 && code <= static_cast<int>(RefuseReason::kNotReleased);
}

/// False for a message that an executor does not send.
bool event_from(const Message& m, ExecEvent& event) {
  switch (m.type) {
    case MessageType::kHello: {
      auto [boot_id, reason] = split_text(m.text);
      event = ExecHello{kExecVersion, boot_id, m.code,
                        m.a != 0,     reason,  static_cast<std::int32_t>(m.b)};
      return true;
    }
    case MessageType::kStarted:
      event = started_from(m);
      return true;
    case MessageType::kRunning:
      event = ExecRunning{started_from(m)};
      return true;
    case MessageType::kRefused: {
      if (!is_reason(m.code)) return false;
      auto [step, text] = split_text(m.text);
      event = ExecRefused{m.key, static_cast<RefuseReason>(m.code), step, text};
      return true;
    }
    case MessageType::kEnded:
      event = ExecEnded{m.key, m.code != 0};
      return true;
    case MessageType::kInventoryDone:
      event = ExecInventoryDone{};
      return true;
    case MessageType::kSpoolFile:
      event = ExecSpoolFile{m.a, std::string(m.text), m.code, UniqueFd()};
      return true;
    case MessageType::kSpawn:
    case MessageType::kKill:
    case MessageType::kAck:
    case MessageType::kRemove:
    case MessageType::kInventory:
    case MessageType::kSpool:
      return false;
  }
  return false;
}

}  // namespace

Result<ExecClient> ExecClient::connect(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.empty() || socket_path.size() >= sizeof(address.sun_path)) {
    return fail_hint(ErrorCode::kInvalid,
                     "cannot use socket path '" + socket_path + "': it must have 1 to 107 bytes",
                     "choose a shorter storage.dir");
  }
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(ErrorCode::kIo, "cannot make a socket", errno);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail_errno(ErrorCode::kUnavailable,
                      "cannot connect to the executor at '" + socket_path + "'", errno);
  }
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBytes, sizeof(kSocketBytes));
  return ExecClient(std::move(fd));
}

Status ExecClient::spawn(const SpawnPlan& plan) {
  std::string bytes;
  std::string why;
  const std::string name =
      "run " + std::to_string(plan.run_id) + " attempt " + std::to_string(plan.attempt);
  if (!encode_plan(plan, bytes, why)) {
    return fail(ErrorCode::kInvalid, "cannot encode the plan of " + name + ": " + why);
  }
  DC_TRY(UniqueFd file, make_plan_file(bytes));
  Message message;
  message.type = MessageType::kSpawn;
  message.key = {plan.run_id, plan.attempt};
  return post({pack(message), std::move(file)});
}

Status ExecClient::kill(RunKey key, int signum, std::int64_t grace_ms) {
  Message message;
  message.type = MessageType::kKill;
  message.key = key;
  message.code = signum;
  message.a = grace_ms < 0 ? -1 : grace_ms;
  return post({pack(message), UniqueFd()});
}

Status ExecClient::ack(RunKey key) {
  Message message;
  message.type = MessageType::kAck;
  message.key = key;
  return post({pack(message), UniqueFd()});
}

Status ExecClient::remove(RunKey key) {
  Message message;
  message.type = MessageType::kRemove;
  message.key = key;
  return post({pack(message), UniqueFd()});
}

Status ExecClient::inventory() {
  Message message;
  message.type = MessageType::kInventory;
  return post({pack(message), UniqueFd()});
}

Status ExecClient::ask_spool(std::int64_t question, const std::string& name) {
  Message message;
  message.type = MessageType::kSpool;
  message.a = question;
  message.text = name;
  return post({pack(message), UniqueFd()});
}

Status ExecClient::post(Outgoing message) {
  DC_CHECK_OK(flush());
  bool would_block = false;
  if (queue_.empty()) DC_CHECK_OK(try_send(message, would_block));
  if (queue_.empty() && !would_block) return {};
  if (queue_.size() >= kQueueMax) {
    return fail(ErrorCode::kUnavailable, "cannot queue more messages for the executor");
  }
  queue_.push_back(std::move(message));
  return {};
}

Status ExecClient::try_send(const Outgoing& message, bool& would_block) {
  if (send_packet(fd_.get(), message.bytes, message.plan.get()) >= 0) return {};
  // ETOOMANYREFS: too many plans are in flight for this user's descriptor limit.
  would_block = errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ETOOMANYREFS;
  if (would_block) return {};
  return fail_errno(ErrorCode::kUnavailable, "cannot reach the executor", errno);
}

Status ExecClient::flush() {
  while (!queue_.empty()) {
    bool would_block = false;
    DC_CHECK_OK(try_send(queue_.front(), would_block));
    if (would_block) return {};
    queue_.pop_front();
  }
  return {};
}

Result<std::vector<ExecEvent>> ExecClient::read_events() {
  std::vector<ExecEvent> events;
  std::array<std::byte, kMessageBytesMax + 1> bytes{};
  while (events.size() < kEventsPerRead) {
    UniqueFd file;
    const ssize_t got = receive_packet(fd_.get(), bytes, file);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) {
      // What came before the end is good; the next call reports the end.
      if (!events.empty()) break;
      const std::string text = "cannot read from the executor: it is gone";
      if (got == 0) return fail(ErrorCode::kUnavailable, text);
      return fail_errno(ErrorCode::kUnavailable, text, errno);
    }
    Message message;
    ExecEvent event;
    if (!decode_message({bytes.data(), static_cast<std::size_t>(got)}, message) ||
        !event_from(message, event)) {
      return fail(ErrorCode::kUnavailable, "cannot understand the executor: other version?");
    }
    if (auto* table = std::get_if<ExecSpoolFile>(&event)) table->fd = std::move(file);
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace distcron::process
