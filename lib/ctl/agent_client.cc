// SPDX-License-Identifier: Apache-2.0
// The Client that talks to an agent over its control door.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "ctl/client.h"
#include "ctl/db_client.h"
#include "ctl/host.h"
#include "ctl/output.h"
#include "ctl/places.h"
#include "ctl/slow_note.h"
#include "mesh/control_client.h"
#include "mesh/keys.h"

namespace distcron::ctl {
namespace {

constexpr std::size_t kRequestIdBytes = 16;

tl::unexpected<Failure> unreachable(Error error) {
  if (error.hint.empty()) {
    error.hint =
        "is the agent running? try: systemctl status distcrond, or name another one "
        "with --endpoint";
  }
  return tl::unexpected<Failure>(Failure(std::move(error), ExitCode::kUnreachable));
}

class AgentClient final : public Client {
 public:
  AgentClient(const Globals& globals, Host& host, Output& out)
      : globals_(globals), host_(host), out_(out) {}

  Answer<std::string> call(wire::Op op, std::string body, Millis patience) override {
    DC_CHECK_OK(connect());
    const wire::Operation* operation = wire::find_operation(static_cast<std::int32_t>(op));
    wire::Request request;
    request.op = static_cast<std::int32_t>(op);
    request.id = ++last_id_;
    request.body = std::move(body);
    request.stale = globals_.stale;
    request.note = globals_.reason;
    if (operation != nullptr && operation->changes) {
      request.dry_run = globals_.dry_run;
      request.request_id = make_request_id();
    }
    const Millis began = host_.steady();
    Answer<wire::Reply> reply = send(request, patience);
    if (globals_.verbose >= 2) {
      const std::string name(operation == nullptr ? "?" : operation->name);
      out_.problem(name + " id=" + std::to_string(request.id) +
                   (request.request_id.empty() ? "" : " request_id=" + request.request_id) + " " +
                   std::to_string((host_.steady() - began).count()) + " ms");
    }
    if (!reply) return tl::unexpected<Failure>(std::move(reply).error());
    if (reply->code == 0) return std::move(reply->body);
    const auto code = static_cast<ErrorCode>(reply->code - 1);
    if (code > ErrorCode::kIo) {
      return fail(ErrorCode::kIo, "cannot understand the agent's error: " + reply->message);
    }
    return fail(Error{code, std::move(reply->message), 0, std::move(reply->hint)});
  }

  std::string request_id() const override { return request_id_; }

 private:
  Answer<bool> connect() {
    if (connection_ != nullptr) return true;
    const AgentPlace place = find_agent(globals_, host_);
    endpoint_ = place.endpoint;
    const mesh::KeyPlaces places{globals_.key, host_.env("DISTCRON_KEY"), host_.env("HOME"),
                                 place.storage};
    auto path = mesh::find_key_file(places);
    if (!path) {
      return tl::unexpected<Failure>(Failure(std::move(path).error(), ExitCode::kDenied));
    }
    DC_TRY(const mesh::KeyFile key, mesh::load_key_file(*path));
    auto connection = mesh::ControlClient::connect(endpoint_, key);
    if (!connection) {
      if (connection.error().code == ErrorCode::kUnavailable) {
        return unreachable(std::move(connection).error());
      }
      return tl::unexpected<Failure>(std::move(connection).error());
    }
    connection_ = std::move(*connection);
    return true;
  }

  Answer<wire::Reply> send(const wire::Request& request, Millis patience) {
    std::optional<SlowNote> note;
    if (out_.err_is_tty() && !globals_.quiet && patience.count() == 0) {
      note.emplace("waiting for " + endpoint_ + " ...");
    }
    auto bytes = connection_->request(wire::encode(request), globals_.request_timeout + patience);
    note.reset();
    if (!bytes) {
      if (bytes.error().code == ErrorCode::kUnavailable) {
        return unreachable(std::move(bytes).error());
      }
      return tl::unexpected<Failure>(std::move(bytes).error());
    }
    auto reply = wire::decode<wire::Reply>(*bytes);
    if (!reply) return fail(std::move(reply).error().within("cannot read the agent's answer"));
    return std::move(*reply);
  }

  /// The same for the first change of a line each time --request-id gives it, so that a script
  /// which repeats the line repeats nothing.
  std::string make_request_id() {
    ++changes_;
    if (globals_.request_id.empty()) {
      request_id_ = host_.random_hex(kRequestIdBytes);
    } else {
      request_id_ = globals_.request_id;
      if (changes_ > 1) request_id_ += "-" + std::to_string(changes_);
    }
    return request_id_;
  }

  const Globals& globals_;
  Host& host_;
  Output& out_;
  std::unique_ptr<mesh::ControlClient> connection_;
  std::string endpoint_;
  std::string request_id_;
  std::int64_t last_id_ = 0;
  std::int64_t changes_ = 0;
};

}  // namespace

std::unique_ptr<Client> make_agent_client(const Globals& globals, Host& host, Output& out) {
  if (!globals.db.empty()) return make_db_client(globals.db, host);
  return std::make_unique<AgentClient>(globals, host, out);
}

}  // namespace distcron::ctl
