// SPDX-License-Identifier: Apache-2.0
// The replicated state as text, for comparing states (planner/explain.h).
#include <string>
#include <type_traits>

#include "planner/explain.h"

namespace distcron::planner {

namespace {

/// Writes `key=value` pairs; empty and default-looking values too, so that nothing hides.
class Dumper {
 public:
  template <class T>
  void field(std::string_view key, const T& value) {
    text_ += ' ';
    text_ += key;
    text_ += '=';
    put(value);
  }

  template <class T>
  void fields(const T& object) {
    model::visit_fields(object,
                        [this](const model::Field& f, const auto& v) { this->field(f.key, v); });
  }

  void line(std::string_view kind) {
    if (!text_.empty()) text_ += '\n';
    text_ += kind;
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void put(const std::string& text) {
    text_ += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\' || c == '\n') text_ += '\\';
      text_ += c == '\n' ? 'n' : c;
    }
    text_ += '"';
  }

  void put(bool value) { text_ += value ? "yes" : "no"; }

  void put(double value) { text_ += std::to_string(value); }

  void put(WallTime at) { text_ += std::to_string(epoch_micros(at)); }

  void put(Millis span) { text_ += std::to_string(span.count()); }

  void put(const model::Bytes& bytes) { text_ += std::to_string(bytes.count); }

  void put(const model::Mode& mode) { text_ += std::to_string(mode.bits); }

  void put(const model::Fact& fact) { fields(fact); }

  template <class T>
  requires std::is_integral_v<T>

  void put(T value) { text_ += std::to_string(value); }

  template <class T>
  requires std::is_enum_v<T>

  void put(T value) { text_ += std::to_string(static_cast<int>(value)); }

  template <class T>
  void put(const std::optional<T>& value) {
    if (value) {
      put(*value);
    } else {
      text_ += '-';
    }
  }

  template <class T>
  void put(const std::vector<T>& list) {
    text_ += '[';
    for (const T& value : list) {
      put(value);
      text_ += ',';
    }
    text_ += ']';
  }

  void put(const model::TextMap& map) {
    text_ += '{';
    for (const auto& [key, value] : map)
      field(key, value);
    text_ += '}';
  }

  std::string text_;
};

void dump_job(Dumper& out, const Job& job) {
  out.line("job");
  out.field("id", job.id);
  out.field("uid", job.uid);
  out.field("version", job.version);
  out.fields(*job.spec);
  out.field("schedules", job.schedules.size());
  out.field("cursor", job.cursor);
  out.field("created_at", job.created_at);
  out.field("updated_at", job.updated_at);
  out.field("updated_by", job.updated_by);
  out.field("disabled_until", job.disabled_until);
  out.field("last_started_at", job.last_started_at);
  out.field("last_ended_at", job.last_ended_at);
  out.field("last_state", job.last_state);
  out.field("last_run_id", job.last_run_id);
  out.field("failures", job.failures);
  out.field("source_text", job.source_text);
}

}  // namespace

std::string dump_of(const StateData& state) {
  Dumper out;
  out.line("counters");
  out.field("next_run_id", state.next_run_id);
  out.field("next_job_id", state.next_job_id);
  if (state.cluster) {
    out.line("cluster");
    out.field("name", state.cluster->name);
    out.field("cluster_id", state.cluster->cluster_id);
    out.field("incarnation", state.cluster->incarnation);
    out.field("tz", state.cluster->tz);
  }
  for (const auto& [id, node] : state.nodes) {
    out.line("node");
    out.fields(node);
  }
  for (const auto& [id, token] : state.tokens) {
    out.line("token");
    out.fields(token);
  }
  for (const auto& [key, value] : state.settings) {
    out.line("setting");
    out.field(key, value);
  }
  state.requests.each([&out](const std::string& id, WallTime at) {
    out.line("request");
    out.field(id, epoch_micros(at));
  });
  for (const auto& [name, key] : state.keys) {
    out.line("key");
    out.fields(key);
  }
  for (const auto& [name, uid] : state.names)
    dump_job(out, state.job(uid)->job);
  for (const auto& [id, live] : state.runs) {
    out.line("run");
    out.fields(live.run);
  }
  return out.take();
}

}  // namespace distcron::planner
