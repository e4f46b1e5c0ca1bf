// SPDX-License-Identifier: Apache-2.0
// Operations about the cluster, keys, settings and events.
#include <utility>

#include "agent/operations.h"
#include "cron/zone.h"
#include "model/units.h"

namespace distcron::agent {

void Operations::version(const Call& call, const wire::Empty& request) {
  static_cast<void>(request);
  call.answer(wire::VersionReply{facts_.version, facts_.node_name, facts_.node_id, default_tz()});
}

std::string Operations::default_tz() const {
  return state_.setting("tz").value_or(state_.cluster().tz);
}

void Operations::whoami(const Call& call, const wire::Empty& request) {
  static_cast<void>(request);
  const Caller& caller = call.caller();
  wire::WhoamiReply reply;
  reply.name = caller.name;
  reply.role = model::name_of(caller.role);
  reply.run_as = caller.run_as;
  const model::AccessKey* key = state_.find_key(caller.public_key);
  if (key != nullptr && !key->host.empty()) {
    reply.role = model::name_of(model::Role::kViewer);
    reply.host = key->host;
    reply.host_role = model::name_of(key->role);
  }
  call.answer(reply);
}

void Operations::key_list(const Call& call, const wire::Empty& request) {
  static_cast<void>(request);
  call.answer(wire::KeyList{state_.keys()});
}

void Operations::key_add(const Call& call, const wire::KeyRequest& request) {
  if (request.key.name.empty() || request.key.public_key.size() != 40) {
    call.refuse(Error{ErrorCode::kInvalid,
                      "a key needs a name and a public key of 40 characters (z85)", 0,
                      "distcronctl keygen makes a pair"});
    return;
  }
  submit(call, model::PutKey{request.key});
}

void Operations::key_remove(const Call& call, const wire::NameRequest& request) {
  submit(call, model::RemoveKey{request.name});
}

void Operations::settings(const Call& call, const wire::SettingRequest& request) {
  if (request.value) {
    if (request.key == "clock" && *request.value != "trust") {
      call.refuse(Error{ErrorCode::kInvalid, "clock: unknown value \"" + *request.value + "\"", 0,
                        "the only one is: trust"});
      return;
    }
    if (request.key == "no_quorum_max") {
      if (const Status checked = check_local_level(request.key); !checked) {
        call.refuse(checked.error());
        return;
      }
    }
    if (request.key == "tz") {
      if (const auto zone = cron::load_zone(*request.value); !zone) {
        call.refuse(zone.error());
        return;
      }
    }
    model::Entry entry;
    entry.at = now_.wall;
    entry.actor = call.caller().name;
    entry.note = call.request().note;
    entry.command = model::PutSetting{request.key, *request.value};
    if (call.request().dry_run) {
      if (const Status good = state_.dry_run(entry).status; good) {
        call.answer(wire::SettingList{{wire::SettingItem{request.key, *request.value}}});
      } else {
        call.refuse(good.error());
      }
      return;
    }
    log_.propose(std::move(entry), [this, call, request](const planner::Applied& applied) {
      if (!applied.status) {
        call.refuse(applied.status.error());
        return;
      }
      if (request.key == "clock") facts_.trust_clock();
      call.answer(wire::SettingList{{wire::SettingItem{request.key, *request.value}}});
    });
    return;
  }
  wire::SettingList out;
  std::map<std::string, std::string> known = state_.settings();
  known.emplace("tz", default_tz());
  known.emplace("name", state_.cluster().name);
  known.emplace("no_quorum_max", model::format_duration(state_.no_quorum_max()));
  known.emplace("voters", std::to_string(state_.wanted_voters()));
  for (const auto& [key, value] : known) {
    if (request.key.empty() || request.key == key) out.items.push_back({key, value});
  }
  if (!request.key.empty() && out.items.empty()) {
    call.refuse(Error{ErrorCode::kNotFound, "no setting named \"" + request.key + "\"", 0,
                      "all settings: distcronctl cluster settings"});
    return;
  }
  call.answer(out);
}

void Operations::events(const Call& call, const wire::EventsRequest& request) {
  store_.query([call, request](store::Reader& reader) -> std::function<void()> {
    auto events = reader.events(request.since, request.limit);
    return [call, events = std::move(events)]() {
      if (!events) {
        call.refuse(events.error());
        return;
      }
      wire::EventList out;
      for (const planner::Changes::Event& event : *events) {
        out.items.push_back(
            wire::EventItem{event.at, event.type, event.actor, event.object, event.text});
      }
      call.answer(out);
    };
  });
}

}  // namespace distcron::agent
