// SPDX-License-Identifier: Apache-2.0
#include "model/units.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/text.h"

namespace distcron::model {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::int64_t kDay = 86'400'000;
/// Order of format_duration(), which leaves out weeks: 7d, 30d and 90d are what people write.
constexpr std::array kDurationUnits{Unit{"w", 7 * kDay}, Unit{"d", kDay},  Unit{"h", 3'600'000},
                                    Unit{"m", 60'000},   Unit{"s", 1'000}, Unit{"ms", 1}};
constexpr std::int64_t kDurationMax = 36'500 * kDay;

constexpr std::array kSizeUnits{Unit{"", 1},
                                Unit{"B", 1},
                                Unit{"k", 1LL << 10},
                                Unit{"K", 1LL << 10},
                                Unit{"M", 1LL << 20},
                                Unit{"G", 1LL << 30},
                                Unit{"T", 1LL << 40},
                                Unit{"KiB", 1LL << 10},
                                Unit{"kiB", 1LL << 10},
                                Unit{"MiB", 1LL << 20},
                                Unit{"GiB", 1LL << 30},
                                Unit{"TiB", 1LL << 40},
                                Unit{"kB", 1'000},
                                Unit{"KB", 1'000},
                                Unit{"MB", 1'000'000},
                                Unit{"GB", 1'000'000'000},
                                Unit{"TB", 1'000'000'000'000}};
constexpr std::int64_t kSizeMax = 1LL << 60;

constexpr std::string_view kDurationForms = "write such as 90s, 10m, 1h30m, 7d or 250ms";
constexpr std::string_view kSizeForms = "write such as 512, 64k, 8MiB or 2GiB";

tl::unexpected<Error> bad(std::string_view what, std::string_view text, std::string_view why,
                          std::string_view hint) {
  return fail_hint(
      ErrorCode::kInvalid,
      std::string(what) + " \"" + std::string(text.substr(0, 64)) + "\" " + std::string(why),
      std::string(hint));
}

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

/// "12" or "1.5" as digits and their power of ten.
struct Decimal {
  std::int64_t digits = 0;
  std::int64_t scale = 1;
};

/// Takes a decimal number off the front of `text`; false without one or with too many digits.
bool take_decimal(std::string_view& text, Decimal& out) {
  constexpr std::int64_t kDigitsMax = 1'000'000'000'000'000'000 / 10;
  std::size_t i = 0;
  bool in_fraction = false;
  bool any = false;
  for (; i < text.size(); ++i) {
    if (text[i] == '.' && !in_fraction && any) {
      in_fraction = true;
      continue;
    }
    if (!is_digit(text[i])) break;
    if (out.digits > kDigitsMax || out.scale > kDigitsMax) return false;
    out.digits = out.digits * 10 + (text[i] - '0');
    if (in_fraction) out.scale *= 10;
    any = true;
  }
  if (!any || text[i - 1] == '.') return false;
  text.remove_prefix(i);
  return true;
}

/// number x factor; nullopt when it is not whole or above `max`.
std::optional<std::int64_t> scaled(Decimal number, std::int64_t factor, std::int64_t max) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(number.digits, factor, &product)) return std::nullopt;
  if (product % number.scale != 0) return std::nullopt;
  product /= number.scale;
  if (product > max) return std::nullopt;
  return product;
}

}  // namespace

Result<Millis> parse_duration(std::string_view text) {
  if (text == "0") return Millis{0};
  if (!text.empty() && text.front() == '-') {
    return bad("duration", text, "is negative", kDurationForms);
  }
  std::string_view rest = text;
  std::int64_t total = 0;
  do {
    Decimal number;
    if (!take_decimal(rest, number)) return bad("duration", text, "is not one", kDurationForms);
    std::size_t length = 0;
    while (length < rest.size() && rest[length] >= 'a' && rest[length] <= 'z')
      ++length;
    const std::string_view name = rest.substr(0, length);
    rest.remove_prefix(length);
    if (name.empty()) return bad("duration", text, "lacks a unit", kDurationForms);
    const Unit* unit = find_unit(kDurationUnits, name);
    if (unit == nullptr) {
      return bad("duration", text, "has the unknown unit " + std::string(name), kDurationForms);
    }
    const auto part = scaled(number, unit->factor, kDurationMax);
    if (!part || total + *part > kDurationMax) {
      return bad("duration", text, "is finer than 1 ms or longer than 100 years", kDurationForms);
    }
    total += *part;
  } while (!rest.empty());
  return Millis{total};
}

std::string format_duration(Millis duration) {
  std::int64_t left = duration.count();
  if (left == 0) return "0s";
  std::string out;
  if (left < 0) {
    out = "-";
    left = left == INT64_MIN ? INT64_MAX : -left;
  }
  for (std::size_t i = 1; i < kDurationUnits.size(); ++i) {
    const std::int64_t count = left / kDurationUnits[i].factor;
    if (count == 0) continue;
    out += std::to_string(count);
    out += kDurationUnits[i].name;
    left %= kDurationUnits[i].factor;
  }
  return out;
}

Result<Bytes> parse_size(std::string_view text) {
  std::string_view rest = text;
  Decimal number;
  if (!take_decimal(rest, number)) return bad("size", text, "is not one", kSizeForms);
  const Unit* unit = find_unit(kSizeUnits, rest);
  if (unit == nullptr) {
    return bad("size", text, "has the unknown unit " + std::string(rest.substr(0, 16)), kSizeForms);
  }
  const auto count = scaled(number, unit->factor, kSizeMax);
  if (!count) return bad("size", text, "is not a whole number of bytes up to 1 EiB", kSizeForms);
  return Bytes{*count};
}

std::string format_size(Bytes size) {
  constexpr std::array kLargestFirst{Unit{"TiB", 1LL << 40}, Unit{"GiB", 1LL << 30},
                                     Unit{"MiB", 1LL << 20}, Unit{"KiB", 1LL << 10}};
  for (const Unit& unit : kLargestFirst) {
    if (size.count != 0 && size.count % unit.factor == 0) {
      return std::to_string(size.count / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(size.count);
}

Result<Mode> parse_mode(std::string_view text) {
  std::int32_t bits = 0;
  for (const char c : text) {
    if (c < '0' || c > '7' || bits > 0777) {
      return bad("mode", text, "is not octal", "write such as 022 or 0077");
    }
    bits = bits * 8 + (c - '0');
  }
  if (text.empty()) return bad("mode", text, "is not octal", "write such as 022 or 0077");
  return Mode{bits};
}

std::string format_mode(Mode mode) {
  std::string out;
  for (std::int32_t bits = mode.bits & 07777; bits != 0 || out.size() < 3; bits /= 8) {
    out.insert(out.begin(), static_cast<char>('0' + bits % 8));
  }
  return "0" + out;
}

}  // namespace distcron::model
