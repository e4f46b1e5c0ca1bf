// SPDX-License-Identifier: Apache-2.0
#include "config/load_settings.h"

#include <string>

#include <doctest/doctest.h>

namespace distcron::config {

namespace {

constexpr const char* kFile = R"([node]
name   = "web1"
id     = 10
labels = { role = "web", dc = "fra" }

[mesh]
listen    = ["tcp://0.0.0.0:8471"]
heartbeat = "200ms"

[control]
listen = ["ipc:///run/distcron/control.sock"]

[output]
keep = { age = "7d", runs = 20 }

[log]
level = "debug"
)";

LoadedSettings load_text(const std::string& text) {
  return load_settings({.files = {{"/etc/d.toml", text}}, .environment = {}, .sets = {}});
}

LoadedSettings load_sets(std::vector<std::string> sets) {
  return load_settings({.files = {}, .environment = {}, .sets = std::move(sets)});
}

HostFacts root_facts() {
  HostFacts facts;
  facts.is_root = true;
  facts.host_name = "db7";
  return facts;
}

HostFacts user_facts() {
  HostFacts facts;
  facts.host_name = "laptop";
  facts.home = "/home/ann";
  facts.xdg_runtime_dir = "/run/user/1000";
  return facts;
}

}  // namespace

TEST_SUITE("config") {
  TEST_CASE("a file sets what it names, with file and line as origin") {
    const LoadedSettings loaded = load_text(kFile);

    CHECK(format_problems(loaded.problems) == "");
    CHECK(loaded.settings.node.name == "web1");
    CHECK(loaded.settings.node.id == 10);
    CHECK(loaded.settings.mesh.heartbeat == Millis{200});
    CHECK(loaded.settings.output.keep_age == Millis{7LL * 86'400'000});
    CHECK(loaded.settings.output.keep_runs == 20);
    CHECK(loaded.settings.output.keep_bytes == model::Bytes{2LL << 30});
    CHECK(loaded.settings.log.level == LogLevel::kDebug);
    CHECK(loaded.origins.at("mesh.heartbeat") == "/etc/d.toml:8");
    CHECK(loaded.is_set("output.keep.age"));
    CHECK_FALSE(loaded.is_set("output.journal"));
  }

  TEST_CASE("later layers win, and tables merge") {
    const LoadedSettings loaded = load_settings(
        {.files = {{"a.toml", kFile},
                   {"b.toml", "[node]\nlabels = { dc = 'ams', x = 'y' }\n[mesh]\nlisten = []\n"}},
         .environment = {{"DISTCRON_MESH_HEARTBEAT", "300ms"},
                         {"DISTCRON_LOG_LEVEL", "warning"},
                         {"DISTCRON_CONTROL_LISTEN", "ipc:///a,tcp://127.0.0.1:8472"},
                         {"DISTCRON_OUTPUT_KEEP_RUNS", "5"}},
         .sets = {"log.level=error", "log.level=trace"}});

    CHECK(format_problems(loaded.problems) == "");
    CHECK(loaded.settings.node.labels ==
          model::TextMap{{"role", "web"}, {"dc", "ams"}, {"x", "y"}});
    CHECK(loaded.settings.mesh.listen.empty());
    CHECK(loaded.is_set("mesh.listen"));
    CHECK(loaded.settings.mesh.heartbeat == Millis{300});
    CHECK(loaded.settings.control.listen == model::TextList{"ipc:///a", "tcp://127.0.0.1:8472"});
    CHECK(loaded.settings.output.keep_runs == 5);
    CHECK(loaded.settings.log.level == LogLevel::kTrace);
    CHECK(loaded.origins.at("mesh.heartbeat") == "env");
    CHECK(loaded.origins.at("log.level") == "flag");
    CHECK(loaded.origins.at("node.labels") == "b.toml:2");
  }

  TEST_CASE("names of the environment that are no settings are left alone") {
    const LoadedSettings loaded = load_settings({.files = {},
                                                 .environment = {{"DISTCRON_ENDPOINT", "x"},
                                                                 {"DISTCRON_KEY", "x"},
                                                                 {"DISTCRON_NODE", "x"},
                                                                 {"DISTCRON_RUN_ID", "7"},
                                                                 {"PATH", "/bin"}},
                                                 .sets = {}});
    CHECK(loaded.problems.empty());
    CHECK(loaded.origins.empty());
  }

  TEST_CASE("--set takes TOML of the key's type, else plain text") {
    const LoadedSettings loaded = load_sets(
        {"node.name=web1", "node.id=7", "node.labels=role=db,dc=fra", "node.labels.rack=r1",
         "mesh.listen=tcp://0.0.0.0:8471", "control.listen=[\"ipc:///a\", \"tcp://127.0.0.1:1\"]",
         "http.listen=", "output.max_bytes=1MiB", "crontab.watch=true",
         "exec.default_user=\"nobody\"", "mesh.election=2s", "storage.dir=/tmp/x=y"});

    CHECK(format_problems(loaded.problems) == "");
    const Settings& settings = loaded.settings;
    CHECK(settings.node.name == "web1");
    CHECK(settings.node.id == 7);
    CHECK(settings.node.labels == model::TextMap{{"role", "db"}, {"dc", "fra"}, {"rack", "r1"}});
    CHECK(settings.mesh.listen == model::TextList{"tcp://0.0.0.0:8471"});
    CHECK(settings.control.listen == model::TextList{"ipc:///a", "tcp://127.0.0.1:1"});
    CHECK(settings.http.listen.empty());
    CHECK(loaded.is_set("http.listen"));
    CHECK(settings.output.max_bytes == model::Bytes{1 << 20});
    CHECK(settings.crontab.watch);
    CHECK(settings.exec.default_user == "nobody");
    CHECK(settings.mesh.election == Millis{2'000});
    CHECK(settings.storage.dir == "/tmp/x=y");
    CHECK(load_sets({"node.name=123"}).settings.node.name == "123");
    CHECK(load_sets({"node.labels={ a = 'b' }"}).settings.node.labels ==
          model::TextMap{{"a", "b"}});
  }

  TEST_CASE("all problems are collected, each with its place and a way out") {
    const LoadedSettings loaded = load_settings(
        {.files = {{"d.toml",
                    "[mesh]\nhearbeat = '1s'\nelection = 5\n[log]\nlevel = 'loud'\n"
                    "[nod]\nx = 1\n[http]\nlisten = '0.0.0.0:80'\n"},
                   {"e.toml", "[mesh\n"}},
         .environment = {{"DISTCRON_LOG_LEVL", "x"}, {"DISTCRON_EXEC_MAX_RUNNING", "many"}},
         .sets = {"log.levl=debug", "nonsense", "exec.max_running=0"}});
    const std::string text = format_problems(loaded.problems);

    CAPTURE(text);
    CHECK(loaded.problems.size() == 11);
    for (const char* part :
         {"d.toml:2:1: mesh.hearbeat: unknown key\n    2 | hearbeat = '1s'\n"
          "      | ^^^^^^^^ did you mean: mesh.heartbeat",
          "d.toml:3:12: mesh.election: is not a duration", "d.toml:5:9: log.level: unknown value",
          "one of: trace, debug, info, warning, error", "d.toml:6:2: nod: unknown key",
          "d.toml:9: http.listen: \"0.0.0.0:80\" is not loopback and there is no TLS", "e.toml:1:",
          "environment: DISTCRON_LOG_LEVL: unknown key\n  did you mean: "
          "DISTCRON_LOG_LEVEL",
          "environment DISTCRON_EXEC_MAX_RUNNING: \"many\" is not a whole number",
          "--set: log.levl: unknown key\n  did you mean: log.level",
          "--set: \"nonsense\" is not section.key=value",
          "--set: exec.max_running: 0 is not between 1 and 1000000"}) {
      CAPTURE(part);
      CHECK(text.find(part) != std::string::npos);
    }
  }

  TEST_CASE("values out of range are refused where they were set") {
    for (const char* set :
         {"mesh.heartbeat=1ms", "mesh.election=200ms", "mesh.dead_after=1s", "node.id=0",
          "node.name=a/b", "node.name=a b", "mesh.listen=0.0.0.0:1", "mesh.listen=ipc:///x",
          "control.listen=tcp://nowhere", "crontab.dialect=quartz", "storage.dir=x",
          "http.listen=http://127.0.0.1:80", "output.keep.runs=-1", "mail.sendmail=sendmail"}) {
      CAPTURE(set);
      const LoadedSettings loaded = load_sets({set});
      REQUIRE(loaded.problems.size() == 1);
      CHECK(loaded.problems[0].origin == "--set");
    }
  }

  TEST_CASE("with the default folder the system's places and ports are used") {
    LoadedSettings loaded = load_text("");
    resolve_defaults(loaded, root_facts());

    const Settings& settings = loaded.settings;
    CHECK(settings.node.name == "db7");
    CHECK(settings.storage.dir == "/var/lib/distcron");
    CHECK(settings.runtime_dir == "/run/distcron");
    CHECK(settings.control.keys_dir == "/etc/distcron/keys");
    CHECK(settings.control.listen == model::TextList{"ipc:///run/distcron/control.sock"});
    CHECK(settings.mesh.listen == model::TextList{"tcp://127.0.0.1:8471"});
    CHECK(settings.http.listen == model::TextList{"127.0.0.1:8470"});
    CHECK_FALSE(loaded.is_set("http.listen"));
    CHECK(loaded.origins.at("http.listen") == "default");
    CHECK(loaded.problems.empty());
  }

  TEST_CASE("any other folder holds its own places, with a free mesh port and no HTTP") {
    for (const bool is_root : {true, false}) {
      CAPTURE(is_root);
      LoadedSettings loaded = load_sets({"storage.dir=/tmp/n1/"});
      resolve_defaults(loaded, is_root ? root_facts() : user_facts());

      const Settings& settings = loaded.settings;
      CHECK(settings.storage.dir == "/tmp/n1");
      CHECK(settings.runtime_dir == "/tmp/n1/run");
      CHECK(settings.control.keys_dir == "/tmp/n1/keys");
      CHECK(settings.control.listen == model::TextList{"ipc:///tmp/n1/run/control.sock"});
      CHECK(settings.mesh.listen == model::TextList{"tcp://127.0.0.1:*"});
      CHECK(settings.http.listen.empty());
    }
  }

  TEST_CASE("what is set does not follow the folder") {
    LoadedSettings loaded =
        load_sets({"storage.dir=/tmp/n1", "control.keys_dir=/k", "http.listen=127.0.0.1:1"});
    resolve_defaults(loaded, root_facts());

    CHECK(loaded.settings.control.keys_dir == "/k");
    CHECK(loaded.settings.http.listen == model::TextList{"127.0.0.1:1"});
    CHECK(loaded.is_set("http.listen"));
  }

  TEST_CASE("an ordinary user's agent keeps to the user's own folders") {
    LoadedSettings loaded = load_text("");
    HostFacts facts = user_facts();
    resolve_defaults(loaded, facts);
    CHECK(loaded.settings.storage.dir == "/home/ann/.local/state/distcron");
    CHECK(loaded.settings.runtime_dir == "/run/user/1000/distcron");
    CHECK(loaded.settings.control.keys_dir == "/home/ann/.local/state/distcron/keys");

    facts.xdg_state_home = "/s";
    facts.xdg_runtime_dir.clear();
    loaded = load_text("");
    resolve_defaults(loaded, facts);
    CHECK(loaded.settings.storage.dir == "/s/distcron");
    CHECK(loaded.settings.runtime_dir == "/s/distcron/run");

    loaded = load_text("");
    resolve_defaults(loaded, HostFacts{});
    REQUIRE(loaded.problems.size() == 1);
    CHECK(loaded.problems[0].text.find("no home folder") != std::string::npos);
  }

  TEST_CASE("a path that no unix socket can have is refused") {
    LoadedSettings loaded = load_sets({"storage.dir=/" + std::string(100, 'x')});
    resolve_defaults(loaded, root_facts());

    REQUIRE(loaded.problems.size() == 1);
    CHECK(loaded.problems[0].text.find("too long for a unix socket") != std::string::npos);
  }

  TEST_CASE("the printed settings read back to the same, with their origins beside them") {
    LoadedSettings loaded = load_text(kFile);
    resolve_defaults(loaded, root_facts());
    const std::string text = format_settings(loaded, true);

    LoadedSettings back = load_text(text);

    CHECK(format_problems(back.problems) == "");
    resolve_defaults(back, root_facts());
    CHECK(format_settings(back, false) == format_settings(loaded, false));
    CHECK(text.find("heartbeat = \"200ms\"                     # /etc/d.toml:8\n") !=
          std::string::npos);
    CHECK(text.find("journal = false                         # default\n") != std::string::npos);
  }

  TEST_CASE("the reference file names every key, changes nothing, and fits when uncommented") {
    const std::string text = format_default_settings();
    CHECK(load_text(text).origins.empty());

    std::string bare;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at) + 1;
      const bool is_key = text[at] == '#' && text[at + 1] != ' ';
      bare += text.substr(is_key ? at + 1 : at, end - (is_key ? at + 1 : at));
      at = end;
    }
    LoadedSettings loaded = load_text(bare);

    CHECK(format_problems(loaded.problems) == "");
    CHECK(loaded.origins.size() == setting_keys().size());
    CHECK(loaded.settings.storage.dir == "/var/lib/distcron");
  }
}

}  // namespace distcron::config
