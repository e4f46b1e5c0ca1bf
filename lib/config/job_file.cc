// SPDX-License-Identifier: Apache-2.0
// Reading of job files (config/job_file.h).
#include "config/job_file.h"

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "base/suggest.h"
#include "config/job_fields.h"
#include "config/job_slices.h"
#include "config/toml_read.h"
#include "model/job_check.h"

namespace distcron::config {

namespace {

using model::JobSpec;
using model::TextList;

/// Where the value of each field of a job stands.
using Places = std::map<std::string, toml::source_region, std::less<>>;

/// Names beside the job fields that a job's table may have.
std::vector<std::string> known_names() {
  std::vector<std::string> names = field_keys();
  names.erase(std::remove(names.begin(), names.end(), "name"), names.end());
  names.emplace_back("every");
  names.emplace_back("at");
  return names;
}

std::string unknown_hint(const std::string& key, const std::vector<std::string>& known) {
  const std::vector<std::string> near = suggest(key, known);
  return near.empty() ? std::string() : "did you mean: " + near.front();
}

/// One file; collects problems.
class JobFileReader {
 public:
  JobFileReader(std::string_view text, std::string_view file_name)
      : text_(text), file_name_(file_name) {}

  JobFile read() {
    Problem problem;
    const std::optional<toml::table> root = parse_toml(text_, problem);
    if (!root) {
      add(std::move(problem));
      return std::move(out_);
    }
    check_top(*root);
    const toml::node* defaults = root->get("defaults");
    JobSpec base;
    Places base_places;
    if (defaults != nullptr && defaults->is_table()) {
      starts_.push_back({defaults->source().begin.line, {}});
      table(*defaults->as_table(), {}, base, base_places);
    }
    if (const toml::node* jobs = root->get("job"); jobs != nullptr && jobs->is_table()) {
      for (const auto& [name, node] : *jobs->as_table()) {
        job(std::string(name.str()), node, base, base_places);
      }
    }
    sort_jobs();
    return std::move(out_);
  }

  [[nodiscard]] const std::vector<TableStart>& starts() const { return starts_; }

 private:
  void add(Problem problem) {
    problem.origin = file_name_;
    out_.problems.push_back(std::move(problem));
  }

  void add_at(const toml::source_region& where, std::string text, std::string hint) {
    add(problem_at(where, text_, std::move(text), std::move(hint)));
  }

  void check_top(const toml::table& root) {
    for (const auto& [name, node] : root) {
      const std::string key(name.str());
      if (key == "version") {
        if (node.value<std::int64_t>() != 1) {
          add_at(node.source(), "version: is not one that this program knows", "write version = 1");
        }
      } else if (key != "defaults" && key != "job") {
        add_at(name.source(), key + ": unknown key",
               unknown_hint(key, {"version", "defaults", "job"}));
      } else if (!node.is_table()) {
        add_at(node.source(), key + ": is not a table",
               key == "job" ? "write [job.NAME]" : "write [defaults]");
      }
    }
  }

  void job(std::string name, const toml::node& node, const JobSpec& base,
           const Places& base_places) {
    if (!node.is_table()) {
      add_at(node.source(), "job." + name + ": is not a table", "write [job." + name + "]");
      return;
    }
    JobSpec spec = base;
    Places places = base_places;
    spec.name = std::move(name);
    job_name_ = spec.name;
    starts_.push_back({node.source().begin.line, spec.name});
    const std::size_t before = out_.problems.size();
    drop_rivals(*node.as_table(), spec);
    table(*node.as_table(), {}, spec, places);
    if (out_.problems.size() == before) validate(spec, places, node.source());
    order_.emplace_back(node.source().begin.line, out_.jobs.size());
    out_.jobs.push_back({std::move(spec), {}});
  }

  /// A job's own command, argv or script takes the place of one in [defaults].
  static void drop_rivals(const toml::table& members, JobSpec& spec) {
    if (!members.contains("command") && !members.contains("argv") && !members.contains("script")) {
      return;
    }
    spec.command.clear();
    spec.argv.clear();
    spec.script.clear();
  }

  void validate(const JobSpec& spec, const Places& places, const toml::source_region& header) {
    std::vector<model::FieldProblem> found = model::check_fields(spec);
    for (model::FieldProblem& problem : model::check_zone(spec, zones_)) {
      found.push_back(std::move(problem));
    }
    for (model::FieldProblem& problem : found) {
      const auto place = places.find(problem.field);
      add_at(place == places.end() ? header : place->second,
             (place == places.end() ? "job " + toml_name(spec.name) + ": " : "") + problem.field +
                 ": " + problem.text,
             std::move(problem.hint));
    }
  }

  static std::string toml_name(const std::string& name) { return '"' + name + '"'; }

  void table(const toml::table& members, const std::string& prefix, JobSpec& spec, Places& places) {
    for (const auto& [name, node] : members) {
      std::string key = prefix + std::string(name.str());
      if (key == "output.keep.runs" || key == "output.keep.age") key.replace(11, 1, "_");
      if (key == "name") {
        add_at(name.source(), "name: stands in [job.NAME]", "leave this line out");
      } else if (!short_form(key, node, spec, places) && !field(key, node, spec, places)) {
        other(key, name, node, spec, places);
      }
    }
  }

  /// A table of fields, or a key that is unknown.
  void other(const std::string& key, const toml::key& name, const toml::node& node, JobSpec& spec,
             Places& places) {
    const std::vector<std::string> known = known_names();
    const bool is_table = key == "output.keep" ||
                          std::any_of(known.begin(), known.end(),
                                      [&key](const auto& field) { return lies_below(field, key); });
    if (!is_table) {
      add_at(name.source(), key + ": unknown key", unknown_hint(key, known));
    } else if (!node.is_table()) {
      add_at(node.source(), key + ": is not a table", {});
    } else {
      table(*node.as_table(), key + '.', spec, places);
    }
  }

  bool field(const std::string& key, const toml::node& node, JobSpec& spec, Places& places) {
    bool is_known = false;
    model::visit_fields(spec, [&](const model::Field& entry, auto& member) {
      if (entry.key != key) return;
      is_known = true;
      Status status = read_node(node, member);
      if (key == "argv" && !node.is_array()) {
        status = fail_hint(ErrorCode::kInvalid, "is not a list",
                           "write such as [\"/usr/bin/find\", \"/tmp\"], or use command");
      }
      if (!status) {
        add_at(node.source(), key + ": " + status.error().message, status.error().hint);
      } else {
        places[key] = node.source();
      }
    });
    return is_known;
  }

  /// `every`, `at` and notify tables.
  bool short_form(const std::string& key, const toml::node& node, JobSpec& spec, Places& places) {
    if (key == "every" || key == "at") {
      add_schedules(key, node, spec);
      places["schedule"] = node.source();
      return true;
    }
    if (key != "notify") return false;
    const toml::array* rules = node.as_array();
    const bool has_tables = rules != nullptr && !rules->empty() && rules->get(0)->is_table();
    if (!has_tables) return false;
    places[key] = node.source();
    spec.notify.clear();
    for (const toml::node& rule : *rules) {
      if (!job_name_.empty()) starts_.push_back({rule.source().begin.line, job_name_});
      if (const Status status = add_notify_rule(rule, spec.notify); !status) {
        add_at(rule.source(), "notify: " + status.error().message, status.error().hint);
      }
    }
    return true;
  }

  void add_schedules(const std::string& key, const toml::node& node, JobSpec& spec) {
    TextList values;
    if (node.is_date() || node.is_date_time()) {
      std::ostringstream text;
      if (node.is_date()) text << node.as_date()->get();
      if (node.is_date_time()) text << node.as_date_time()->get();
      values.push_back(text.str());
    } else if (const Status status = read_node(node, values); !status) {
      add_at(node.source(), key + ": " + status.error().message, status.error().hint);
      return;
    }
    for (const std::string& value : values)
      spec.schedule.push_back('@' + key + ' ' + value);
  }

  /// toml++ keeps tables sorted by name; people expect the order of the file.
  void sort_jobs() {
    std::stable_sort(order_.begin(), order_.end());
    std::vector<JobFileEntry> sorted;
    sorted.reserve(order_.size());
    for (const auto& [line, index] : order_)
      sorted.push_back(std::move(out_.jobs[index]));
    out_.jobs = std::move(sorted);
    std::stable_sort(out_.problems.begin(), out_.problems.end(),
                     [](const Problem& a, const Problem& b) {
                       return std::pair(a.line, a.column) < std::pair(b.line, b.column);
                     });
  }

  std::string_view text_;
  std::string file_name_;
  JobFile out_;
  std::string job_name_;  ///< Of the job that is being read; empty in [defaults].
  std::vector<TableStart> starts_;
  std::vector<std::pair<std::uint32_t, std::size_t>> order_;
  cron::ZoneCache zones_;
};

}  // namespace

JobFile parse_job_file(std::string_view text, std::string_view file_name) {
  JobFileReader reader(text, file_name);
  JobFile out = reader.read();
  if (!out.problems.empty()) return out;
  if (out.jobs.size() == 1) {
    out.jobs.front().source_text = text;
    return out;
  }
  const std::map<std::string, std::string> slices = slice_jobs(text, reader.starts());
  for (JobFileEntry& entry : out.jobs) {
    const auto slice = slices.find(entry.spec.name);
    if (slice == slices.end()) continue;
    // Jobs that are written in an unusual way, such as inline, cannot be cut out.
    JobFileReader again(slice->second, file_name);
    const JobFile alone = again.read();
    if (alone.problems.empty() && alone.jobs.size() == 1 && alone.jobs.front().spec == entry.spec) {
      entry.source_text = slice->second;
    }
  }
  return out;
}

}  // namespace distcron::config
