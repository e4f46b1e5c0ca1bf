// SPDX-License-Identifier: Apache-2.0
// Flags of a command as data: name, letter, placeholder, help, closed list of values, and where the
// value goes. Parser, help, completion and the man page test all read these. One owner: the
// targets must outlive the Flags that point at them. Knows nothing of CLI11.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/job_spec.h"

namespace distcron::ctl {

struct FlagText {
  std::string_view name;   ///< Without dashes.
  char letter = 0;         ///< 0: none.
  std::string_view value;  ///< Placeholder such as DUR; empty: a switch without value.
  std::string_view help;   ///< Half a sentence.
};

struct Flag {
  std::string name;
  char letter = 0;
  std::string value;
  std::string help;
  bool repeatable = false;
  bool hidden = false;                          ///< Not in help, but in the man page test.
  std::vector<std::string> choices;             ///< Closed list of values; empty: any.
  std::string field;                            ///< Key of the job field that it sets; empty: none.
  std::function<Status(std::string_view)> set;  ///< Once per use; a switch gets "".

  Flag& one_of(std::vector<std::string> values) {
    choices = std::move(values);
    return *this;
  }
};

/// How many words a command takes beside its flags, and how usage lines write them.
struct WordsText {
  std::string_view usage;  ///< Such as "JOB..." or "(RUN|JOB)".
  std::size_t min = 0;
  std::size_t max = 0;
  /// Says what is a word also where it begins with a dash; nullptr: nothing is.
  bool (*may_have_dash)(std::string_view word) = nullptr;
};

inline constexpr std::size_t kAnyWords = std::numeric_limits<std::size_t>::max();

class Flags {
 public:
  Flag& add(const FlagText& text, bool& target);
  Flag& add(const FlagText& text, std::string& target);
  Flag& add(const FlagText& text, std::optional<std::string>& target);
  Flag& add(const FlagText& text, std::vector<std::string>& target);  ///< Repeatable.
  Flag& add(const FlagText& text, model::TextMap& target);            ///< Repeatable K=V.
  Flag& add(const FlagText& text, std::int64_t& target);
  Flag& add(const FlagText& text, std::optional<std::int64_t>& target);
  Flag& add(const FlagText& text, Millis& target);
  Flag& add(const FlagText& text, std::optional<Millis>& target);
  /// `set` is called for each use, in the order of the command line.
  Flag& call(const FlagText& text, std::function<Status(std::string_view)> set);

  /// Names of jobs, runs, files ... ; `target` gets all of them in order.
  void words(const WordsText& text, std::vector<std::string>& target);
  /// Takes what stands behind `--`, untouched. `usage` such as "-- ARGV...".
  void argv(std::string_view usage, std::optional<std::vector<std::string>>& target);

  [[nodiscard]] const std::deque<Flag>& all() const { return flags_; }

  [[nodiscard]] std::deque<Flag>& all() { return flags_; }

  [[nodiscard]] const WordsText& words_text() const { return words_; }

  [[nodiscard]] std::string_view argv_usage() const { return argv_usage_; }

  [[nodiscard]] bool takes_argv() const { return argv_target_ != nullptr; }

  /// For the parser.
  void set_words(std::vector<std::string> words);
  void set_argv(std::vector<std::string> argv);

 private:
  std::deque<Flag> flags_;  ///< A deque: references to members stay good.
  WordsText words_;
  std::vector<std::string>* words_target_ = nullptr;
  std::string_view argv_usage_;
  std::optional<std::vector<std::string>>* argv_target_ = nullptr;
};

/// Whole decimal number; kInvalid otherwise.
[[nodiscard]] Result<std::int64_t> parse_integer(std::string_view text);

/// Splits "K=V"; kInvalid without `=` or with an empty K.
[[nodiscard]] Result<std::pair<std::string, std::string>> parse_pair(std::string_view text);

}  // namespace distcron::ctl
