// SPDX-License-Identifier: Apache-2.0
#include "process/exec_cgroup.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/dir_reader.h"
#include "process/exec_spawn.h"

namespace distcron::process {

namespace {

constexpr int kGroupDirFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

std::string read_text(const char* path) {
  std::string text;
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> part{};
  ssize_t got = 0;
  while (fd && (got = ::read(fd.get(), part.data(), part.size())) > 0) {
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

/// Field `n` (from 0) of a line, cut at spaces.
std::string_view field(std::string_view line, int n) {
  for (int i = 0; i < n && !line.empty(); ++i) {
    line.remove_prefix(std::min(line.find(' ') + 1, line.size()));
  }
  return line.substr(0, line.find(' '));
}

bool make_dir(const std::string& path) {
  return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
}

bool move_self_to(const std::string& path) {
  const UniqueFd file(::open((path + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), "0", 1) == 1;
}

CgroupPlace no_place(std::string reason) {
  CgroupPlace place;
  place.reason = std::move(reason);
  return place;
}

CgroupPlace with_errno(const std::string& what) {
  return no_place(what + ": " + std::strerror(errno));
}

/// Below the unit that systemd delegated, else directly below the mount.
std::string base_below(const std::string& mount, const std::string& own,
                       const std::string& instance) {
  std::string unit = own;
  if (unit.ends_with("/exec")) unit.resize(unit.size() - 5);
  if (unit.ends_with(".service")) return mount + unit;
  return mount + "/distcron/" + instance;
}

/// Removes the folders of an instance that are empty. exec/ first: while it has members, the
/// instance lives and its empty jobs/ must stay.
void sweep_instance(const std::string& base) {
  if (::rmdir((base + "/exec").c_str()) != 0 && errno != ENOENT) return;
  const std::string jobs = base + "/jobs";
  if (const UniqueFd dir(::open(jobs.c_str(), kGroupDirFlags)); dir) {
    DirReader reader(dir.get());
    while (const char* name = reader.next()) {
      if (name[0] >= '0' && name[0] <= '9') (void)::unlinkat(dir.get(), name, AT_REMOVEDIR);
    }
  }
  (void)::rmdir(jobs.c_str());
  (void)::rmdir(base.c_str());
}

/// Removes what killed executors of other instances have left.
void sweep_others(const std::string& parent, const std::string& own_base) {
  std::vector<std::string> names;
  {
    const UniqueFd dir(::open(parent.c_str(), kGroupDirFlags));
    if (!dir) return;
    DirReader reader(dir.get());
    while (const char* name = reader.next())
      names.emplace_back(name);
  }
  for (const std::string& name : names) {
    const std::string base = parent + "/" + name;
    const bool is_instance = name.size() == 8 && ::access((base + "/jobs").c_str(), F_OK) == 0;
    if (is_instance && base != own_base) sweep_instance(base);
  }
}

CgroupPlace try_place(const std::string& base) {
  for (std::size_t at = base.find('/', 1); at != std::string::npos; at = base.find('/', at + 1)) {
    (void)make_dir(base.substr(0, at));
  }
  if (!make_dir(base) || !make_dir(base + "/exec") || !make_dir(base + "/jobs")) {
    return with_errno("cannot make cgroup '" + base + "'");
  }
  if (!move_self_to(base + "/exec")) return with_errno("cannot move into '" + base + "/exec'");
  CgroupPlace place;
  place.jobs.reset(::open((base + "/jobs").c_str(), kGroupDirFlags));
  if (!place.jobs) return with_errno("cannot open '" + base + "/jobs'");
  (void)::mkdirat(place.jobs.get(), "probe", 0755);
  const UniqueFd probe(::openat(place.jobs.get(), "probe", kGroupDirFlags));
  if (!probe) return with_errno("cannot make a cgroup in '" + base + "/jobs'");
  const bool has_kill = ::faccessat(probe.get(), "cgroup.kill", W_OK, 0) == 0;
  const int error = probe_clone_into_cgroup(probe.get());
  (void)::unlinkat(place.jobs.get(), "probe", AT_REMOVEDIR);
  if (!has_kill) return no_place("this kernel has no cgroup.kill");
  if (error != 0) return no_place(std::string("CLONE_INTO_CGROUP: ") + std::strerror(error));
  return place;
}

}  // namespace

std::string find_cgroup_mount(std::string_view mountinfo) {
  while (!mountinfo.empty()) {
    const std::string_view line = next_line(mountinfo);
    const std::size_t separator = line.find(" - ");
    if (separator == std::string_view::npos) continue;
    if (field(line.substr(separator + 3), 0) != "cgroup2") continue;
    const std::string_view options = field(line, 5);
    if (options == "ro" || options.starts_with("ro,")) continue;
    return std::string(field(line, 4));
  }
  return {};
}

std::string find_own_cgroup(std::string_view cgroup_text) {
  while (!cgroup_text.empty()) {
    const std::string_view line = next_line(cgroup_text);
    if (line.starts_with("0::")) return std::string(line.substr(3));
  }
  return {};
}

CgroupPlace make_cgroup_place(const std::string& wanted, const std::string& instance) {
  if (wanted == "off") return no_place("switched off");
  if (!wanted.empty()) return try_place(wanted);
  const std::string mount = find_cgroup_mount(read_text("/proc/self/mountinfo"));
  if (mount.empty()) return no_place("no writable cgroup v2 hierarchy is mounted");
  const std::string own = find_own_cgroup(read_text("/proc/self/cgroup"));
  if (own.empty()) return no_place("this process is in no cgroup v2");
  const std::string base = base_below(mount, own, instance);
  sweep_others(mount + "/distcron", base);
  CgroupPlace place = try_place(base);
  if (base != mount + own && !own.ends_with("/exec")) place.before = mount + own;
  place.base = base;
  return place;
}

void leave_cgroup_place(CgroupPlace& place) {
  if (place.before.empty() || !move_self_to(place.before)) return;
  place.jobs.reset();
  sweep_instance(place.base);
}

}  // namespace distcron::process
