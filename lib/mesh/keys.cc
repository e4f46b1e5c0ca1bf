// SPDX-License-Identifier: Apache-2.0
#include "mesh/keys.h"

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zmq.h>

#include "base/text.h"
#include "base/unique_fd.h"

namespace distcron::mesh {

namespace {

constexpr std::size_t kFileBytesMax = 4096;
constexpr std::string_view kZ85 =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

std::string* member_of(KeyFile& key, std::string_view name) {
  if (name == "name") return &key.name;
  if (name == "public_key") return &key.public_key;
  if (name == "secret_key") return &key.secret_key;
  if (name == "server_key") return &key.server_key;
  return nullptr;
}

Status write_file(const std::string& path, const std::string& text, mode_t mode, gid_t group) {
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  const UniqueFd fd(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(ErrorCode::kIo, "cannot write key file " + path, errno);
  const bool written =
      ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      (group == static_cast<gid_t>(-1) || ::fchown(fd.get(), static_cast<uid_t>(-1), group) == 0) &&
      ::fchmod(fd.get(), mode) == 0 && ::fsync(fd.get()) == 0 &&
      ::rename(fresh.c_str(), path.c_str()) == 0;
  if (written) return {};
  const int error = errno;
  ::unlink(fresh.c_str());
  return fail_errno(ErrorCode::kIo, "cannot write key file " + path, error);
}

}  // namespace

bool is_key_text(std::string_view text) {
  return text.size() == kKeyTextBytes && text.find_first_not_of(kZ85) == std::string_view::npos;
}

Result<KeyPair> make_key_pair() {
  std::array<char, kKeyTextBytes + 1> public_key{};
  std::array<char, kKeyTextBytes + 1> secret_key{};
  do {
    if (::zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
      return fail(ErrorCode::kIo, "cannot make a key pair: this libzmq was built without CURVE");
    }
  } while (public_key.front() == '-');  // on a command line it would read as a flag
  return KeyPair{public_key.data(), secret_key.data()};
}

Result<KeyFile> parse_key_file(std::string_view text, const std::string& path) {
  KeyFile key;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end), " \t\r");
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::string where = path + ":" + std::to_string(number) + ": ";
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      return fail(ErrorCode::kInvalid, where + "not KEY = \"VALUE\"");
    }
    const std::string_view name = trim(line.substr(0, equals));
    std::string_view value = trim(line.substr(equals + 1));
    std::string* member = member_of(key, name);
    if (member == nullptr) {
      return fail(ErrorCode::kInvalid, where + "unknown key \"" + std::string(name) + "\"");
    }
    const bool quoted = value.size() >= 2 && value.front() == value.back() &&
                        (value.front() == '"' || value.front() == '\'');
    if (!quoted) return fail(ErrorCode::kInvalid, where + "the value is not quoted");
    value = value.substr(1, value.size() - 2);
    if (name != "name" && !is_key_text(value)) {
      return fail(ErrorCode::kInvalid,
                  where + std::string(name) + " is not a key: 40 characters of z85 are");
    }
    *member = value;
  }
  if (key.public_key.empty() || key.secret_key.empty()) {
    return fail(ErrorCode::kInvalid, path + ": a key file needs public_key and secret_key");
  }
  return key;
}

std::string format_key_file(const KeyFile& key) {
  // Literal strings: z85 has no quote and no backslash, names have none either.
  std::string out = "# DistCron control key: whoever can read this file is \"" + key.name + "\".\n";
  out += "name = '" + key.name + "'\n";
  out += "public_key = '" + key.public_key + "'\n";
  out += "secret_key = '" + key.secret_key + "'\n";
  if (!key.server_key.empty()) out += "server_key = '" + key.server_key + "'\n";
  return out;
}

Result<KeyFile> load_key_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    ErrorCode code = ErrorCode::kIo;
    if (errno == ENOENT) code = ErrorCode::kNotFound;
    if (errno == EACCES) code = ErrorCode::kDenied;
    return fail_errno(code, "cannot read key file " + path, errno);
  }
  std::string text(kFileBytesMax, '\0');
  const ssize_t count = ::read(fd.get(), text.data(), text.size());
  if (count < 0) return fail_errno(ErrorCode::kIo, "cannot read key file " + path, errno);
  text.resize(static_cast<std::size_t>(count));
  return parse_key_file(text, path);
}

Status save_key_file(const std::string& path, const KeyFile& key, mode_t mode, gid_t group) {
  return write_file(path, format_key_file(key), mode, group);
}

Status change_server_key(const std::string& path, const std::string& server_key) {
  DC_TRY(KeyFile key, load_key_file(path));
  if (key.server_key == server_key) return {};

  struct stat facts {};

  if (::stat(path.c_str(), &facts) != 0) {
    return fail_errno(ErrorCode::kIo, "cannot look at key file " + path, errno);
  }
  key.server_key = server_key;
  return save_key_file(path, key, facts.st_mode & 0777U, facts.st_gid);
}

Result<KeyPair> load_or_make_key(const std::string& dir, const std::string& name) {
  const std::string path = dir + "/" + name + ".key";
  if (::access(path.c_str(), F_OK) == 0) {
    DC_TRY(const KeyFile key, load_key_file(path));
    return KeyPair{key.public_key, key.secret_key};
  }
  DC_TRY(const KeyPair pair, make_key_pair());
  DC_CHECK_OK(save_key_file(path, KeyFile{name, pair.public_key, pair.secret_key, {}}, 0600,
                            static_cast<gid_t>(-1)));
  return pair;
}

Result<std::string> find_key_file(const KeyPlaces& places) {
  for (const std::string& given : {places.option, places.environment}) {
    if (given.empty()) continue;
    if (::access(given.c_str(), R_OK) != 0) {
      return fail_errno(ErrorCode::kDenied, "cannot read key file " + given, errno);
    }
    return given;
  }
  std::vector<std::string> tried;
  if (!places.home.empty()) tried.push_back(places.home + "/.config/distcron/client.key");
  if (!places.state_home.empty()) tried.push_back(places.state_home + "/keys/admin.key");
  tried.emplace_back("/etc/distcron/keys/admin.key");
  tried.emplace_back("/etc/distcron/keys/operator.key");
  std::string list;
  for (const std::string& path : tried) {
    if (::access(path.c_str(), R_OK) == 0) return path;
    list += (list.empty() ? "" : ", ") + path;
  }
  return fail_hint(ErrorCode::kDenied, "no readable key file; tried " + list,
                   "distcronctl login gets one of your own; root reads admin.key");
}

}  // namespace distcron::mesh
