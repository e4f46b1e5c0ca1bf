// SPDX-License-Identifier: Apache-2.0
#include "store/run_row.h"

#include <deque>
#include <string>
#include <type_traits>
#include <utility>

#include "store/text_lines.h"

namespace distcron::store {
namespace {

template <class T>
struct IsOptional : std::false_type {};

template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
concept Lines = requires(const T& items) {
  format_lines(items);
};

/// Binds one field after the other.
class Binder {
 public:
  explicit Binder(Stmt& stmt) : stmt_(stmt) {}

  template <class T>
  void operator()(const model::Field& /*field*/, const T& value) {
    ++at_;
    if constexpr (Lines<T>) {
      if (value.empty()) {
        stmt_.bind_null(at_);
      } else {
        stmt_.bind(at_, std::string_view(kept_.emplace_back(format_lines(value))));
      }
    } else if constexpr (model::NamedEnum<T>) {
      stmt_.bind(at_, name_of(value));
    } else if constexpr (std::is_same_v<T, std::optional<std::string>>) {
      if (value) {
        stmt_.bind(at_, std::string_view(*value));
      } else {
        stmt_.bind_null(at_);
      }
    } else if constexpr (std::is_same_v<T, std::string>) {
      stmt_.bind(at_, std::string_view(value));
    } else {
      stmt_.bind(at_, value);
    }
  }

 private:
  Stmt& stmt_;
  int at_ = 0;
  std::deque<std::string> kept_;  ///< Texts must live until the statement has run.
};

/// Reads one field after the other.
class Loader {
 public:
  explicit Loader(const Stmt& row) : row_(row) {}

  template <class T>
  void operator()(const model::Field& field, T& value) {
    const int at = at_++;
    if constexpr (Lines<T>) {
      parse_lines(row_.bytes(at), value);
    } else if constexpr (model::NamedEnum<T>) {
      const std::optional<T> word = model::parse_enum<T>(row_.bytes(at));
      if (word) {
        value = *word;
      } else if (bad_.empty()) {
        bad_ = std::string(field.key) + " '" + row_.text(at) + "'";
      }
    } else if constexpr (IsOptional<T>::value) {
      if (row_.is_null(at)) {
        value.reset();
      } else {
        load(at, value.emplace());
      }
    } else {
      load(at, value);
    }
  }

  /// The first word that no enumerator has; empty when all is well.
  [[nodiscard]] const std::string& bad() const { return bad_; }

 private:
  void load(int at, std::string& value) const { value = row_.text(at); }

  void load(int at, WallTime& value) const { value = row_.time(at); }

  void load(int at, bool& value) const { value = row_.integer(at) != 0; }

  void load(int at, std::int64_t& value) const { value = row_.integer(at); }

  void load(int at, std::int32_t& value) const {
    value = static_cast<std::int32_t>(row_.integer(at));
  }

  void load(int at, std::uint64_t& value) const {
    value = static_cast<std::uint64_t>(row_.integer(at));
  }

  const Stmt& row_;
  int at_ = 0;
  std::string bad_;
};

}  // namespace

Status put_run(Stmt& stmt, const model::Run& run) {
  Binder binder(stmt);
  visit_fields(run, binder);
  return stmt.run();
}

Result<model::Run> run_of_row(const Stmt& row) {
  model::Run run;
  Loader loader(row);
  visit_fields(run, loader);
  if (!loader.bad().empty()) {
    return fail(ErrorCode::kCorrupt,
                "cannot read run " + std::to_string(run.run_id) + ": unknown " + loader.bad());
  }
  return run;
}

Result<std::vector<model::Run>> all_runs(Stmt& stmt) {
  const StmtScope scope(stmt);
  std::vector<model::Run> runs;
  while (true) {
    DC_TRY(const bool row, stmt.step());
    if (!row) return runs;
    DC_TRY(model::Run run, run_of_row(stmt));
    runs.push_back(std::move(run));
  }
}

}  // namespace distcron::store
