// SPDX-License-Identifier: Apache-2.0
#include "process/run_files.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/attempt_dir.h"

namespace distcron::process {

namespace {

constexpr int kDirFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

using DirHandle = std::unique_ptr<DIR, CloseDir>;

/// One kept file of a stream. The descriptor is taken at once: the stub may remove the name.
struct Piece {
  std::int64_t start = 0;
  std::int64_t bytes = 0;
  UniqueFd fd;
};

template <class Number>
bool parse_number(std::string_view text, Number& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && value >= 0;
}

std::string attempt_path(const std::string& state_dir, RunKey key) {
  return state_dir + "/out/" + std::to_string(key.run_id) + "/" + std::to_string(key.attempt);
}

/// All kept pieces of a stream, in order. No folder: none.
Result<std::vector<Piece>> open_pieces(const std::string& path, Stream stream) {
  std::vector<Piece> pieces;
  UniqueFd folder(::open(path.c_str(), kDirFlags));
  if (!folder && errno == ENOENT) return pieces;
  if (!folder) return fail_errno(ErrorCode::kIo, "cannot open output '" + path + "'", errno);
  const int folder_fd = folder.get();
  const DirHandle dir(::fdopendir(folder.release()));
  if (!dir) return fail_errno(ErrorCode::kIo, "cannot list output '" + path + "'", errno);
  const std::string_view prefix = stream == Stream::kOut ? "out." : "err.";
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name(entry->d_name);
    Piece piece;
    if (!name.starts_with(prefix) || !parse_number(name.substr(prefix.size()), piece.start)) {
      continue;
    }
    piece.fd.reset(::openat(folder_fd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));

    struct stat info {};

    if (!piece.fd) {
      if (errno == ENOENT) continue;  // cut while we looked
      return fail_errno(ErrorCode::kIo, "cannot open '" + path + "/" + entry->d_name + "'", errno);
    }
    if (::fstat(piece.fd.get(), &info) != 0) continue;
    piece.bytes = info.st_size;
    pieces.push_back(std::move(piece));
  }
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.start < b.start; });
  return pieces;
}

std::int64_t end_of(const std::vector<Piece>& pieces) {
  return pieces.empty() ? 0 : pieces.back().start + pieces.back().bytes;
}

/// Appends from the pieces that follow each other without a gap, until `max` bytes.
Status append_bytes(const std::vector<Piece>& pieces, std::int64_t max, OutputChunk& chunk) {
  for (const Piece& piece : pieces) {
    const std::int64_t end = piece.start + piece.bytes;
    const auto room = max - static_cast<std::int64_t>(chunk.bytes.size());
    if (end <= chunk.next_offset) continue;
    if (piece.start > chunk.next_offset) {
      if (!chunk.bytes.empty()) return {};  // the gap is told at the start of the next chunk
      chunk.dropped += piece.start - chunk.next_offset;
      chunk.next_offset = piece.start;
    }
    if (room <= 0) return {};
    const std::size_t before = chunk.bytes.size();
    const auto wanted = static_cast<std::size_t>(std::min(room, end - chunk.next_offset));
    chunk.bytes.resize(before + wanted);
    const ssize_t got = ::pread(piece.fd.get(), chunk.bytes.data() + before, wanted,
                                chunk.next_offset - piece.start);
    chunk.bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) return fail_errno(ErrorCode::kIo, "cannot read output", errno);
    chunk.next_offset += got;
    if (static_cast<std::size_t>(got) < wanted) return {};
  }
  return {};
}

template <class Number>
Result<std::vector<Number>> list_numbers(const std::string& path) {
  std::vector<Number> numbers;
  const DirHandle dir(::opendir(path.c_str()));
  if (!dir && errno == ENOENT) return numbers;
  if (!dir) return fail_errno(ErrorCode::kIo, "cannot list '" + path + "'", errno);
  while (const dirent* entry = ::readdir(dir.get())) {
    Number number = 0;
    if (parse_number(entry->d_name, number)) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

Result<EndRecord> StoredRunFiles::load_end_record(RunKey key) const {
  const std::string path = state_dir_ + "/out";
  const std::string name =
      "end record of run " + std::to_string(key.run_id) + " attempt " + std::to_string(key.attempt);
  const UniqueFd out(::open(path.c_str(), kDirFlags));
  EndRecord record;
  const int error = out ? process::load_end_record(out.get(), key, record) : errno;
  if (error == 0) return record;
  if (error == ENOENT) return fail(ErrorCode::kNotFound, "cannot find the " + name);
  if (error == EBADMSG) return fail(ErrorCode::kCorrupt, "cannot use the " + name + ": damaged");
  return fail_errno(ErrorCode::kIo, "cannot read the " + name, error);
}

Result<OutputChunk> StoredRunFiles::read(RunKey key, Stream stream, std::int64_t offset,
                                         std::int64_t max) const {
  DC_TRY(const std::vector<Piece> pieces, open_pieces(attempt_path(state_dir_, key), stream));
  OutputChunk chunk;
  const std::int64_t seen_end = end_of(pieces);
  chunk.next_offset = offset < 0 ? std::max<std::int64_t>(0, seen_end + offset) : offset;
  DC_CHECK_OK(append_bytes(pieces, max, chunk));
  chunk.end_offset = std::max(seen_end, chunk.next_offset);
  // Bytes that could not be written at all leave a gap at the very end: only the record tells.
  const Result<EndRecord> record = load_end_record(key);
  if (record) {
    const StreamCount& count = stream == Stream::kOut ? record->out : record->err;
    chunk.end_offset = std::max(chunk.end_offset, count.written);
    if (chunk.bytes.empty() && max > 0 && chunk.next_offset >= seen_end &&
        chunk.next_offset < count.written) {
      chunk.dropped += count.written - chunk.next_offset;
      chunk.next_offset = count.written;
    }
  }
  chunk.at_end = chunk.next_offset >= chunk.end_offset;
  return chunk;
}

Result<OutputSize> StoredRunFiles::size(RunKey key, Stream stream) const {
  DC_TRY(const std::vector<Piece> pieces, open_pieces(attempt_path(state_dir_, key), stream));
  OutputSize size{end_of(pieces), 0};
  for (const Piece& piece : pieces)
    size.kept += piece.bytes;
  const Result<EndRecord> record = load_end_record(key);
  if (record) {
    size.written =
        std::max(size.written, stream == Stream::kOut ? record->out.written : record->err.written);
  }
  return size;
}

Result<std::vector<std::int64_t>> StoredRunFiles::list_runs() const {
  return list_numbers<std::int64_t>(state_dir_ + "/out");
}

Result<std::vector<std::int32_t>> StoredRunFiles::list_attempts(std::int64_t run_id) const {
  return list_numbers<std::int32_t>(state_dir_ + "/out/" + std::to_string(run_id));
}

}  // namespace distcron::process
