// SPDX-License-Identifier: Apache-2.0
#include "cron/crontab.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "cron/crontab_parser.h"

namespace distcron::cron {
namespace {

/// Debian counts the three header lines of `crontab -e` and one more for its line counter.
constexpr int kDebianLastLine = kDebianTableLinesMax + 3;

void refuse(CrontabLine& line, Refusal refusal, std::size_t column, std::string error) {
  line.kind = LineKind::kRefused;
  line.refusal = refusal;
  line.column = static_cast<int>(column);
  line.error = std::move(error);
}

class Reader {
 public:
  explicit Reader(const CrontabOptions& options) { file_.options = options; }

  CrontabFile read(std::string_view text) {
    file_.ends_with_newline = text.empty() || text.back() == '\n';
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t newline = text.find('\n', at);
      const bool is_whole = newline != std::string_view::npos;
      const std::size_t end = is_whole ? newline : text.size();
      read_line(text.substr(at, end - at), is_whole);
      at = end + 1;
    }
    if (file_.options.dialect == Dialect::kSupercronic) apply_global_env();
    return std::move(file_);
  }

 private:
  [[nodiscard]] bool is_cronie_user_table() const {
    return file_.options.dialect == Dialect::kCronie && file_.options.kind == TableKind::kUser;
  }

  void read_line(std::string_view text, bool is_whole) {
    CrontabLine& line = file_.lines.emplace_back();
    line.number = static_cast<int>(file_.lines.size());
    line.raw = std::string(text);
    if (file_.options.dialect == Dialect::kSupercronic && text.ends_with('\r')) {
      text.remove_suffix(1);  // Go's line scanner drops it
    }
    const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
    const bool is_comment = begin < text.size() && text[begin] == '#';
    if (begin == text.size() || is_comment) {
      line.kind = is_comment ? LineKind::kComment : LineKind::kBlank;
      count_garbage(text.size() + 1, line.number);
      refuse_overlong(text, line);
      return;
    }
    count_garbage(begin + 1, line.number);
    garbage_bytes_ = 0;
    read_statement(text, begin, line);
    if (!is_whole) note_missing_newline(line);
    if (line.kind == LineKind::kRefused) note_bad_line(line);
    check_limits(line);
  }

  void read_statement(std::string_view text, std::size_t begin, CrontabLine& line) {
    if (refuse_overlong(text, line)) return;
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
      refuse(line, Refusal::kNulByte, nul + 1, "the line holds a NUL byte; take it away");
      return;
    }
    EnvLine assignment = parse_env_line(text.substr(begin), file_.options.dialect);
    if (assignment.var) {
      line.kind = LineKind::kEnv;
      line.env = *assignment.var;
      line.env_was_cut = assignment.was_cut;
      assign(std::move(*assignment.var));
      check_supercronic_zone(line);
      return;
    }
    parse_entry_line(text, begin, line, file_.options);
    line.entry.env = shared_env_;
    if (file_.options.dialect == Dialect::kSupercronic) return;  // see apply_global_env()
    line.entry.env = snapshot();
    if (env_bytes_ > kEnvBytesMax) {
      refuse(line, Refusal::kTooMuchEnv, begin + 1,
             "the assignments above all entries so far take more than " +
                 std::to_string(kEnvBytesMax >> 20U) + " MiB; split the file");
    }
    if (file_.options.dialect == Dialect::kCronie) {
      const std::string* tz = find_env(env_, "CRON_TZ");
      if (tz != nullptr) line.entry.tz = *tz;
    }
  }

  /// supercronic's line buffer; true when the line was refused.
  bool refuse_overlong(std::string_view text, CrontabLine& line) {
    if (file_.options.dialect != Dialect::kSupercronic || text.size() <= kSupercronicLineBytesMax) {
      return false;
    }
    refuse(line, Refusal::kLineTooLong, kSupercronicLineBytesMax + 1,
           "the line is longer than " + std::to_string(kSupercronicLineBytesMax) +
               " bytes, so the daemon refuses the file; put the command into a script");
    note_bad_line(line);
    return true;
  }

  void check_supercronic_zone(CrontabLine& line) const {
    if (file_.options.dialect != Dialect::kSupercronic || line.env.name != "CRON_TZ") return;
    const auto zone = load_zone(line.env.value);
    if (zone || zone.error().code != ErrorCode::kInvalid) return;
    refuse(line, Refusal::kUnknownZone, 1, "there is no time zone '" + line.env.value + "'");
  }

  void assign(EnvVar var) {
    const auto [at, is_new] = env_index_.try_emplace(var.name, env_.size());
    if (is_new) {
      env_.push_back(std::move(var));
    } else {
      env_[at->second].value = std::move(var.value);
    }
    is_shared_ = false;
  }

  /// The environment so far; shared by entries without an assignment between them.
  std::shared_ptr<const Env> snapshot() {
    if (is_shared_ || env_bytes_ > kEnvBytesMax) return shared_env_;
    for (const EnvVar& var : env_) {
      env_bytes_ += sizeof(EnvVar) + var.name.size() + var.value.size();
    }
    if (env_bytes_ <= kEnvBytesMax) shared_env_ = std::make_shared<const Env>(env_);
    is_shared_ = true;
    return shared_env_;
  }

  void note_missing_newline(CrontabLine& line) {
    if (file_.options.dialect == Dialect::kSupercronic) return;
    const bool is_debian = file_.options.dialect == Dialect::kDebian;
    refuse(line, Refusal::kNoNewline, line.raw.size() + 1,
           is_debian ? "the last line has no newline, so cron ignores the whole file; add one"
                     : "the last line has no newline, so crond drops it; add one");
    if (is_debian) set_fault(FileFault::kNoNewline, line.number, line.error);
  }

  void note_bad_line(const CrontabLine& line) {
    if (file_.options.dialect == Dialect::kCronie) return;
    set_fault(FileFault::kBadLine, line.number,
              "the daemon ignores the whole file because of line " + std::to_string(line.number) +
                  ": " + line.error);
  }

  void check_limits(const CrontabLine& line) {
    if (file_.options.dialect == Dialect::kDebian && line.number > kDebianLastLine) {
      set_fault(FileFault::kTooManyLines, line.number,
                "cron ignores the whole file because it has more than " +
                    std::to_string(kDebianTableLinesMax) + " lines; split it");
    }
    if (!is_cronie_user_table()) return;
    if (line.kind == LineKind::kEnv && ++env_lines_ > kCronieEnvLinesMax) {
      set_fault(FileFault::kLimit, line.number,
                "crond ignores the whole table because it has more than " +
                    std::to_string(kCronieEnvLinesMax) + " assignments");
    }
    if (line.kind == LineKind::kEntry && ++entries_ > kCronieEntriesMax) {
      set_fault(FileFault::kLimit, line.number,
                "crond ignores the whole table because it has more than " +
                    std::to_string(kCronieEntriesMax) + " entries");
    }
  }

  void count_garbage(std::size_t bytes, int number) {
    garbage_bytes_ += bytes;
    if (is_cronie_user_table() && garbage_bytes_ > kCronieGarbageBytesMax) {
      set_fault(FileFault::kLimit, number,
                "crond ignores the whole table because more than " +
                    std::to_string(kCronieGarbageBytesMax) +
                    " bytes of comments and blanks follow each other");
    }
  }

  void set_fault(FileFault fault, int number, std::string text) {
    if (file_.daemon_ignores_file) return;  // the daemon stops at the first one
    file_.daemon_ignores_file = true;
    file_.fault = fault;
    file_.fault_line = number;
    file_.fault_text = std::move(text);
  }

  /// supercronic: one environment for all entries, also for those above an assignment.
  void apply_global_env() {
    const auto all = std::make_shared<const Env>(env_);
    const std::string* tz = find_env(*all, "CRON_TZ");
    for (CrontabLine& line : file_.lines) {
      if (line.kind != LineKind::kEntry) continue;
      line.entry.env = all;
      if (tz != nullptr) line.entry.tz = *tz;
    }
  }

  CrontabFile file_;
  Env env_;
  std::unordered_map<std::string, std::size_t> env_index_;
  std::shared_ptr<const Env> shared_env_ = std::make_shared<const Env>();
  bool is_shared_ = true;
  std::size_t env_bytes_ = 0;
  std::size_t garbage_bytes_ = 0;
  int env_lines_ = 0;
  int entries_ = 0;
};

}  // namespace

CrontabFile parse_crontab(std::string_view text, const CrontabOptions& options) {
  return Reader(options).read(text);
}

}  // namespace distcron::cron
