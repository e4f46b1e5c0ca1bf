// SPDX-License-Identifier: Apache-2.0
#include "process/exec_journal.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/end_record.h"

namespace distcron::process {

namespace {

constexpr std::uint32_t kJournalMagic = 0x4a454344;  // "DCEJ"
constexpr std::uint32_t kJournalVersion = 1;
constexpr std::int64_t kRewriteSlack = std::int64_t{4} << 20U;

struct HeaderLayout {
  std::uint32_t magic;
  std::uint32_t version;
  std::array<char, kBootIdBytes> boot_id;
  std::uint32_t crc;
};

static_assert(sizeof(HeaderLayout) == kJournalHeaderBytes);

struct EntryLayout {
  std::uint32_t kind;
  std::int32_t attempt;
  std::int64_t run_id;
  std::int32_t stub_pid;
  std::uint32_t unused;
  std::uint64_t stub_starttime;
  std::int64_t wall_us;
  std::int64_t boot_us;
  std::int64_t timeout_ms;
  std::int64_t grace_ms;
  std::uint32_t unused2;
  std::uint32_t crc;
};

static_assert(sizeof(EntryLayout) == kJournalEntryBytes);

template <class Layout>
std::uint32_t crc_of(const Layout& layout) {
  return crc32(std::as_bytes(std::span(&layout, 1)).first(offsetof(Layout, crc)));
}

HeaderLayout make_header(std::string_view boot_id) {
  HeaderLayout header{kJournalMagic, kJournalVersion, {}, 0};
  std::memcpy(header.boot_id.data(), boot_id.data(), std::min(boot_id.size(), kBootIdBytes));
  header.crc = crc_of(header);
  return header;
}

void apply_entry(const JournalEntry& entry, JournalState& state) {
  const RunKey key = entry.record.key;
  switch (entry.kind) {
    case JournalKind::kSpawned:
      state.open[key] = entry.record;
      return;
    case JournalKind::kAcked:
      state.open.erase(key);
      state.acked.insert(key);
      // Run numbers grow, so the lowest is the oldest.
      if (state.acked.size() > ExecJournal::kAckedMax) state.acked.erase(state.acked.begin());
      return;
  }
}

bool read_all(int fd, std::vector<std::byte>& bytes) {
  struct stat info {};

  if (::fstat(fd, &info) != 0) return false;
  bytes.resize(static_cast<std::size_t>(info.st_size));
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t n = ::pread(fd, bytes.data() + got, bytes.size() - got, static_cast<off_t>(got));
    if (n <= 0) return false;
    got += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

std::array<std::byte, kJournalEntryBytes> encode_journal_entry(const JournalEntry& entry) {
  EntryLayout layout{};
  layout.kind = static_cast<std::uint32_t>(entry.kind);
  layout.attempt = entry.record.key.attempt;
  layout.run_id = entry.record.key.run_id;
  layout.stub_pid = entry.record.stub_pid;
  layout.stub_starttime = entry.record.stub_starttime;
  layout.wall_us = entry.record.wall_us;
  layout.boot_us = entry.record.boot_us;
  layout.timeout_ms = entry.record.timeout_ms;
  layout.grace_ms = entry.record.grace_ms;
  layout.crc = crc_of(layout);
  std::array<std::byte, kJournalEntryBytes> bytes{};
  std::memcpy(bytes.data(), &layout, sizeof(layout));
  return bytes;
}

bool decode_journal_entry(std::span<const std::byte> bytes, JournalEntry& entry) {
  EntryLayout layout;
  if (bytes.size() != sizeof(layout)) return false;
  std::memcpy(&layout, bytes.data(), sizeof(layout));
  if (layout.crc != crc_of(layout)) return false;
  if (layout.kind != static_cast<std::uint32_t>(JournalKind::kSpawned) &&
      layout.kind != static_cast<std::uint32_t>(JournalKind::kAcked)) {
    return false;
  }
  if (layout.run_id <= 0 || layout.attempt <= 0) return false;
  entry.kind = static_cast<JournalKind>(layout.kind);
  entry.record = {{layout.run_id, layout.attempt},
                  layout.stub_pid,
                  layout.stub_starttime,
                  layout.wall_us,
                  layout.boot_us,
                  layout.timeout_ms,
                  layout.grace_ms};
  return true;
}

bool replay_journal(std::span<const std::byte> bytes, std::string_view boot_id,
                    JournalState& state) {
  if (bytes.size() < sizeof(HeaderLayout)) return false;
  const HeaderLayout wanted = make_header(boot_id);
  if (std::memcmp(bytes.data(), &wanted, sizeof(wanted)) != 0) return false;
  bytes = bytes.subspan(sizeof(HeaderLayout));
  while (bytes.size() >= kJournalEntryBytes) {
    JournalEntry entry;
    if (!decode_journal_entry(bytes.first(kJournalEntryBytes), entry)) break;
    apply_entry(entry, state);
    bytes = bytes.subspan(kJournalEntryBytes);
  }
  return true;
}

std::string ExecJournal::open(int dir_fd, const char* name, std::string_view boot_id) {
  dir_fd_ = dir_fd;
  name_ = name;
  boot_id_ = boot_id;
  const UniqueFd old(::openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (old) {
    std::vector<std::byte> bytes;
    if (!read_all(old.get(), bytes)) return std::string("cannot read journal '") + name + "'";
    if (!replay_journal(bytes, boot_id, state_)) state_ = {};
  } else if (errno != ENOENT) {
    return std::string("cannot open journal '") + name + "': " + std::strerror(errno);
  }
  return rewrite();
}

std::string ExecJournal::rewrite() {
  const HeaderLayout header = make_header(boot_id_);
  std::vector<std::byte> bytes;
  const auto put = [&bytes](const auto& part) {
    const auto view = std::as_bytes(std::span(part));
    bytes.insert(bytes.end(), view.begin(), view.end());
  };
  put(std::span(&header, 1));
  for (const RunKey& key : state_.acked) {
    JournalEntry entry;
    entry.kind = JournalKind::kAcked;
    entry.record.key = key;
    put(encode_journal_entry(entry));
  }
  for (const auto& [key, record] : state_.open) {
    put(encode_journal_entry({JournalKind::kSpawned, record}));
  }
  const std::string tmp = name_ + ".tmp";
  UniqueFd file(
      ::openat(dir_fd_, tmp.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  const bool ok =
      file &&
      ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
      ::renameat(dir_fd_, tmp.c_str(), dir_fd_, name_.c_str()) == 0;
  if (!ok) return "cannot write journal '" + name_ + "': " + std::strerror(errno);
  file_ = std::move(file);
  size_ = static_cast<std::int64_t>(bytes.size());
  size_after_rewrite_ = size_;
  return {};
}

bool ExecJournal::is_known(RunKey key) const {
  return state_.open.contains(key) || state_.acked.contains(key);
}

bool ExecJournal::append(std::span<const std::byte> bytes) {
  const ssize_t put = ::pwrite(file_.get(), bytes.data(), bytes.size(), size_);
  if (put == static_cast<ssize_t>(bytes.size())) {
    size_ += put;
    return true;
  }
  const int write_errno = put < 0 ? errno : ENOSPC;
  // Should this fail too, the next append overwrites the torn end, and a replay stops before it.
  (void)!::ftruncate(file_.get(), size_);
  errno = write_errno;
  return false;
}

bool ExecJournal::add_spawned(const std::vector<SpawnRecord>& records) {
  std::vector<std::byte> bytes;
  bytes.reserve(records.size() * kJournalEntryBytes);
  for (const SpawnRecord& record : records) {
    const auto entry = encode_journal_entry({JournalKind::kSpawned, record});
    bytes.insert(bytes.end(), entry.begin(), entry.end());
  }
  if (!append(bytes)) return false;
  for (const SpawnRecord& record : records) {
    apply_entry({JournalKind::kSpawned, record}, state_);
  }
  return true;
}

void ExecJournal::ack(RunKey key) {
  if (!state_.open.contains(key)) return;
  JournalEntry entry;
  entry.kind = JournalKind::kAcked;
  entry.record.key = key;
  // If it is not written, a restarted executor reports the end once more; the agent knows it then.
  (void)append(encode_journal_entry(entry));
  apply_entry(entry, state_);
  if (size_ > size_after_rewrite_ * 2 + kRewriteSlack) (void)rewrite();
}

}  // namespace distcron::process
