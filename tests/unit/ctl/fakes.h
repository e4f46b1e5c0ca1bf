// SPDX-License-Identifier: Apache-2.0
// A host and an agent made of facts, and a run of distcronctl against them.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ctl/client.h"
#include "ctl/dispatch.h"
#include "ctl/host.h"

namespace distcron::ctl {

inline constexpr WallTime kTestNow = wall_from_seconds(1'795'000'000);  // 2026-11-18T12:26:40Z

class FakeHost final : public Host {
 public:
  std::map<std::string, std::string> variables{{"HOME", "/home/ann"}};
  std::map<std::string, std::string> files;
  std::deque<std::string> answers;
  std::vector<std::string> questions;
  /// Plays the editor: gets the command.
  std::function<int(const std::string&)> on_shell = [](const std::string&) { return 0; };
  bool is_interactive = false;
  Millis clock{0};

  std::string env(const std::string& name) const override {
    const auto found = variables.find(name);
    return found == variables.end() ? "" : found->second;
  }

  bool is_readable(const std::string& path) const override { return files.contains(path); }

  bool is_executable(const std::string& path) const override { return files.contains(path); }

  bool is_socket(const std::string& path) const override { return files.contains(path); }

  Result<std::string> read_file(const std::string& path) override {
    const auto found = files.find(path);
    if (found == files.end()) return fail(ErrorCode::kNotFound, "cannot open " + path);
    return found->second;
  }

  Status write_file(const std::string& path, std::string_view text, unsigned /*mode*/) override {
    files[path] = text;
    return {};
  }

  std::vector<std::string> list_dir(const std::string& path) const override {
    std::vector<std::string> names;
    for (const auto& file : files) {
      if (file.first.starts_with(path + "/")) names.push_back(file.first.substr(path.size() + 1));
    }
    return names;
  }

  void remove_file(const std::string& path) override { files.erase(path); }

  WallTime now() const override { return kTestNow; }

  Millis steady() const override { return clock; }

  void pause(Millis length) override { clock += length; }

  std::string random_hex(std::size_t bytes) override { return std::string(2 * bytes, 'a'); }

  std::string zone_name() const override { return "UTC"; }

  std::string host_name() const override { return "web1"; }

  std::string user_name() const override { return "ann"; }

  bool has_user(const std::string& name) const override { return name == "ann" || name == "root"; }

  bool is_root() const override { return false; }

  bool can_ask() const override { return is_interactive; }

  std::string ask(std::string_view question) override {
    questions.emplace_back(question);
    if (answers.empty()) return "";
    std::string answer = answers.front();
    answers.pop_front();
    return answer;
  }

  Result<int> shell(const std::string& command) override { return on_shell(command); }
};

/// Answers with what the test gave it, in order, and keeps the requests.
class FakeAgent {
 public:
  struct Asked {
    wire::Op op;
    std::string body;
    Millis patience;
  };

  template <wire::Op op>
  void reply(const typename wire::OpTypes<op>::ReplyBody& body) {
    replies_.push_back(Answer<std::string>(wire::encode(body)));
  }

  void refuse(ErrorCode code, const std::string& message, const std::string& hint = {}) {
    replies_.push_back(
        Answer<std::string>(tl::unexpected<Failure>(Failure(Error{code, message, 0, hint}))));
  }

  void be_away() {
    replies_.push_back(Answer<std::string>(tl::unexpected<Failure>(
        Failure(Error{ErrorCode::kUnavailable, "nobody listens", 0, ""}, ExitCode::kUnreachable))));
  }

  /// The request number `index`, which must be of `op`.
  template <wire::Op op>
  [[nodiscard]] typename wire::OpTypes<op>::RequestBody request(std::size_t index = 0) const {
    if (index >= asked_.size() || asked_[index].op != op) return {};
    return *wire::decode<typename wire::OpTypes<op>::RequestBody>(asked_[index].body);
  }

  [[nodiscard]] const std::vector<Asked>& asked() const { return asked_; }

  Answer<std::string> take(wire::Op op, std::string body, Millis patience) {
    asked_.push_back({op, std::move(body), patience});
    if (replies_.empty()) {
      return fail(ErrorCode::kIo,
                  "the test gave no reply to request " + std::to_string(asked_.size()));
    }
    Answer<std::string> reply = std::move(replies_.front());
    replies_.pop_front();
    return reply;
  }

 private:
  std::deque<Answer<std::string>> replies_;
  std::vector<Asked> asked_;
};

class FakeClient final : public Client {
 public:
  explicit FakeClient(FakeAgent& agent) : agent_(agent) {}

  Answer<std::string> call(wire::Op op, std::string body, Millis patience) override {
    return agent_.take(op, std::move(body), patience);
  }

  std::string request_id() const override { return "feed"; }

 private:
  FakeAgent& agent_;
};

struct Ran {
  int exit = 0;
  std::string out;
  std::string err;
};

/// Runs one command line.
inline Ran run_line(FakeHost& host, FakeAgent& agent, const std::vector<std::string>& args) {
  Ran ran;
  Streams streams;
  streams.out = [&ran](std::string_view text) { ran.out += text; };
  streams.err = [&ran](std::string_view text) { ran.err += text; };
  streams.page = streams.out;
  const Program program{host, streams, [&agent](const Globals&, Host&, Output&) {
                          return std::unique_ptr<Client>(std::make_unique<FakeClient>(agent));
                        }};
  ran.exit = run_program(args, program);
  return ran;
}

}  // namespace distcron::ctl
