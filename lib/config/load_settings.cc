// SPDX-License-Identifier: Apache-2.0
#include "config/load_settings.h"

#include <algorithm>
#include <set>

#include "base/suggest.h"
#include "config/settings_check.h"
#include "config/toml_read.h"

namespace distcron::config {

namespace {

constexpr std::string_view kPrefix = "DISTCRON_";

/// The keys' first parts: "node", "mesh" ...
std::set<std::string, std::less<>> section_names() {
  std::set<std::string, std::less<>> out;
  for (const std::string& key : setting_keys())
    out.insert(key.substr(0, key.find('.')));
  return out;
}

std::string unknown_hint(std::string_view key) {
  const std::vector<std::string> near = suggest(key, setting_keys());
  return near.empty() ? "all keys: distcrond --print-defaults" : "did you mean: " + near.front();
}

/// "mesh.heartbeat" -> "DISTCRON_MESH_HEARTBEAT".
std::string variable_name(std::string_view key) {
  std::string out(kPrefix);
  for (const char c : key) {
    out += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

/// One layer after the other; collects problems.
class Loader {
 public:
  void file(const Layers::File& layer) {
    Problem problem;
    const std::optional<toml::table> root = parse_toml(layer.text, problem);
    if (!root) {
      problem.origin = layer.name;
      out_.problems.push_back(std::move(problem));
      return;
    }
    layer_ = &layer;
    table(*root, {});
  }

  void environment(const std::vector<std::pair<std::string, std::string>>& variables) {
    const auto sections = section_names();
    for (const auto& [name, value] : variables) {
      if (!name.starts_with(kPrefix)) continue;
      const std::string_view rest = std::string_view(name).substr(kPrefix.size());
      const std::size_t end = rest.find('_');
      if (end == std::string_view::npos) continue;
      std::string section(rest.substr(0, end));
      for (char& c : section)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      if (sections.contains(section)) variable(name, value);
    }
  }

  /// The last one of a key wins, so that tables of two do not merge.
  void sets(const std::vector<std::string>& texts) {
    std::map<std::string, std::string> last;
    for (const std::string& text : texts) {
      const std::size_t equals = text.find('=');
      if (equals == std::string::npos || equals == 0) {
        add("--set", "\"" + text + "\" is not section.key=value", "such as --set log.level=debug");
        continue;
      }
      last[text.substr(0, equals)] = text.substr(equals + 1);
    }
    for (const auto& [key, value] : last) {
      if (!from_text(key, value, "flag", "--set " + key)) {
        add("--set", key + ": unknown key", unknown_hint(key));
      }
    }
  }

  [[nodiscard]] LoadedSettings take() { return std::move(out_); }

 private:
  void add(std::string origin, std::string text, std::string hint) {
    out_.problems.push_back({std::move(origin), 0, 0, 0, std::move(text), std::move(hint), {}});
  }

  void add_at(const toml::source_region& where, std::string text, std::string hint) {
    Problem problem = problem_at(where, layer_->text, std::move(text), std::move(hint));
    problem.origin = layer_->name;
    out_.problems.push_back(std::move(problem));
  }

  void table(const toml::table& members, const std::string& prefix) {
    for (const auto& [name, node] : members) {
      const std::string key = prefix + std::string(name.str());
      if (from_node(key, node)) continue;
      const auto keys = setting_keys();
      const bool is_table = std::any_of(keys.begin(), keys.end(), [&key](const std::string& known) {
        return lies_below(known, key);
      });
      if (!is_table) {
        add_at(name.source(), key + ": unknown key", unknown_hint(key));
      } else if (!node.is_table()) {
        add_at(node.source(), key + ": is not a table", "write [" + key + "] and its keys below");
      } else {
        table(*node.as_table(), key + '.');
      }
    }
  }

  bool from_node(const std::string& key, const toml::node& node) {
    bool is_known = false;
    visit_fields(out_.settings, [&](const model::Field& field, auto& member) {
      if (field.key != key) return;
      is_known = true;
      const Status status = read_node(node, member);
      if (!status) {
        add_at(node.source(), key + ": " + status.error().message, status.error().hint);
        return;
      }
      out_.origins[key] = layer_->name + ':' + std::to_string(node.source().begin.line);
    });
    return is_known;
  }

  void variable(const std::string& name, const std::string& value) {
    for (const std::string& key : setting_keys()) {
      if (variable_name(key) != name) continue;
      from_text(key, value, "env", "environment " + name);
      return;
    }
    std::vector<std::string> names;
    for (const std::string& key : setting_keys())
      names.push_back(variable_name(key));
    const std::vector<std::string> near = suggest(name, names);
    add("environment", name + ": unknown key",
        near.empty() ? std::string() : "did you mean: " + near.front());
  }

  /// TOML of the member's type, else plain text; false when there is no such key.
  bool from_text(const std::string& key, const std::string& text, const char* origin,
                 const std::string& place) {
    bool is_known = false;
    visit_fields(out_.settings, [&](const model::Field& field, auto& member) {
      Status status;
      using Member = std::remove_cvref_t<decltype(member)>;
      if (field.key == key) {
        status = member_from_text(text, member);
      } else if (std::is_same_v<Member, model::TextMap> && lies_below(key, field.key)) {
        status = entry_from_text(key.substr(field.key.size() + 1), text, member);
      } else {
        return;
      }
      is_known = true;
      if (!status) {
        add(place, status.error().message, status.error().hint);
      } else {
        out_.origins[std::string(field.key)] = origin;
      }
    });
    return is_known;
  }

  template <class M>
  static Status member_from_text(const std::string& text, M& member) {
    return read_toml_or_plain<M>(text, member, [](std::string_view plain, M& value) {
      if constexpr (std::is_same_v<M, model::TextList>) {
        return read_plain_list(plain, value);
      } else if constexpr (std::is_same_v<M, model::TextMap>) {
        return read_plain_map(plain, value);
      } else {
        return model::parse_value(plain, value);
      }
    });
  }

  template <class M>
  static Status entry_from_text(const std::string& name, const std::string& text, M& member) {
    if constexpr (std::is_same_v<M, model::TextMap>) member.insert_or_assign(name, text);
    return {};
  }

  LoadedSettings out_;
  const Layers::File* layer_ = nullptr;
};

}  // namespace

bool LoadedSettings::is_set(std::string_view key) const {
  const auto found = origins.find(key);
  return found != origins.end() && found->second != "default";
}

LoadedSettings load_settings(const Layers& layers) {
  Loader loader;
  for (const Layers::File& file : layers.files)
    loader.file(file);
  loader.environment(layers.environment);
  loader.sets(layers.sets);
  LoadedSettings out = loader.take();
  check_settings(out);
  return out;
}

std::vector<std::string> setting_keys() {
  std::vector<std::string> keys;
  const Settings settings;
  visit_fields(settings, [&keys](const model::Field& field, const auto& /*member*/) {
    keys.emplace_back(field.key);
  });
  return keys;
}

}  // namespace distcron::config
