// SPDX-License-Identifier: Apache-2.0
// The templates behind wire/codec.h, over every struct with visit_fields. Included only by the
// files of this module that instantiate them: msgpack is slow to compile.
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <msgpack/pack.hpp>

#include "model/command.h"
#include "wire/codec.h"
#include "wire/shapes.h"
#include "wire/tape.h"

namespace distcron::wire::detail {

/// The members of a default-constructed T, to tell what need not be written.
template <Visited T>
struct Defaults {
  T value{};
  std::array<const void*, kFieldsMax> members{};

  Defaults() {
    std::size_t i = 0;
    const T& fixed = value;
    visit_fields(fixed,
                 [&](const model::Field&, const auto& member) { members.at(i++) = &member; });
  }

  static const Defaults& instance() {
    static const Defaults kInstance;
    return kInstance;
  }
};

template <class M>
bool is_same(const M& a, const M& b);

template <Visited T>
bool is_same_struct(const T& a, const T& b) {
  std::array<const void*, kFieldsMax> others{};
  std::size_t i = 0;
  visit_fields(b, [&](const model::Field&, const auto& member) { others.at(i++) = &member; });
  i = 0;
  bool same = true;
  visit_fields(a, [&](const model::Field&, const auto& member) {
    using Member = std::remove_cvref_t<decltype(member)>;
    same = is_same(member, *static_cast<const Member*>(others[i++])) && same;
  });
  return same;
}

/// Equal, as far as it matters for leaving out; false is always allowed.
template <class M>
bool is_same(const M& a, const M& b) {
  if constexpr (Visited<M>) {
    return is_same_struct(a, b);
  } else if constexpr (kIsStructList<M>) {
    return a.empty() && b.empty();
  } else if constexpr (kIsStructOption<M>) {
    return !a && !b;
  } else if constexpr (kIsVariant<M>) {
    return false;
  } else {
    return a == b;
  }
}

struct StringSink {
  std::string& out;

  void write(const char* data, std::size_t size) { out.append(data, size); }
};

using Packer = msgpack::packer<StringSink>;

inline void put_text(Packer& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

template <class M>
void put(Packer& packer, const M& value);

template <Visited T>
void put_struct(Packer& packer, const T& value) {
  const Defaults<T>& defaults = Defaults<T>::instance();
  std::bitset<kFieldsMax> is_written;
  std::size_t i = 0;
  visit_fields(value, [&](const model::Field&, const auto& member) {
    using Member = std::remove_cvref_t<decltype(member)>;
    is_written[i] = !is_same(member, *static_cast<const Member*>(defaults.members[i]));
    ++i;
  });
  packer.pack_map(static_cast<std::uint32_t>(is_written.count()));
  i = 0;
  visit_fields(value, [&](const model::Field& field, const auto& member) {
    if (!is_written[i++]) return;
    put_text(packer, field.key);
    put(packer, member);
  });
}

template <class M>
void put(Packer& packer, const M& value) {
  if constexpr (std::is_same_v<M, bool>) {
    value ? packer.pack_true() : packer.pack_false();
  } else if constexpr (std::is_enum_v<M>) {
    packer.pack_int64(static_cast<std::int64_t>(value));
  } else if constexpr (std::is_same_v<M, std::uint64_t>) {
    packer.pack_uint64(value);
  } else if constexpr (std::is_integral_v<M>) {
    packer.pack_int64(value);
  } else if constexpr (std::is_same_v<M, double>) {
    packer.pack_double(value);
  } else if constexpr (std::is_same_v<M, std::string>) {
    put_text(packer, value);
  } else if constexpr (std::is_same_v<M, WallTime>) {
    packer.pack_int64(epoch_micros(value));
  } else if constexpr (std::is_same_v<M, Millis>) {
    packer.pack_int64(value.count());
  } else if constexpr (std::is_same_v<M, model::Bytes>) {
    packer.pack_int64(value.count);
  } else if constexpr (std::is_same_v<M, model::Mode>) {
    packer.pack_int64(value.bits);
  } else if constexpr (kIsOption<M>) {
    if (value) {
      put(packer, *value);
    } else {
      packer.pack_nil();
    }
  } else if constexpr (kIsList<M>) {
    packer.pack_array(static_cast<std::uint32_t>(value.size()));
    for (const auto& member : value)
      put(packer, member);
  } else if constexpr (std::is_same_v<M, model::TextMap>) {
    packer.pack_map(static_cast<std::uint32_t>(value.size()));
    for (const auto& [key, text] : value) {
      put_text(packer, key);
      put_text(packer, text);
    }
  } else if constexpr (kIsVariant<M>) {
    packer.pack_array(2);
    packer.pack_int64(static_cast<std::int64_t>(value.index()));
    std::visit([&](const auto& chosen) { put(packer, chosen); }, value);
  } else {
    static_assert(Visited<M>, "a member type that the wire does not know");
    put_struct(packer, value);
  }
}

template <class M>
bool take(Reader& reader, M& value);

/// Members are written in the order of visit_fields, so one pass takes nearly all of them; what
/// that pass leaves (another order, unknown keys) is looked up key by key.
template <Visited T>
bool take_struct(Reader& reader, T& value) {
  std::size_t left = 0;
  if (!reader.take_map(left)) return false;
  bool good = true;
  visit_fields(value, [&](const model::Field& field, auto& member) {
    if (!good || left == 0 || !reader.take_if(field.key)) return;
    --left;
    good = take(reader, member);
    if (!good) reader.within(field.key);
  });
  for (; good && left > 0; --left) {
    std::string_view key;
    if (!reader.take_text(key)) return false;
    bool is_known = false;
    visit_fields(value, [&](const model::Field& field, auto& member) {
      if (is_known || field.key != key) return;
      is_known = true;
      good = take(reader, member);
      if (!good) reader.within(field.key);
    });
    if (!is_known) good = reader.skip();
  }
  return good;
}

template <class E>
bool take_enum(Reader& reader, E& value) {
  std::int64_t number = 0;
  if (!reader.take(number)) return false;
  if (number < 0 || number >= static_cast<std::int64_t>(enum_size(E{}))) {
    return reader.refuse("is not a value that this version knows");
  }
  value = static_cast<E>(number);
  return true;
}

template <class M>
bool take_list(Reader& reader, M& value) {
  std::size_t size = 0;
  if (!reader.take_array(size)) return false;
  value.clear();
  value.reserve(size);  // the tape holds that many values
  for (std::size_t i = 0; i < size; ++i) {
    typename M::value_type member{};
    if (!take(reader, member)) return false;
    value.push_back(std::move(member));
  }
  return true;
}

inline bool take_text_map(Reader& reader, model::TextMap& value) {
  std::size_t size = 0;
  if (!reader.take_map(size)) return false;
  value.clear();
  for (std::size_t i = 0; i < size; ++i) {
    std::string key;
    std::string text;
    if (!reader.take(key) || !reader.take(text)) return false;
    value.insert_or_assign(std::move(key), std::move(text));
  }
  return true;
}

template <std::size_t I, class M>
bool take_alternative(Reader& reader, M& value, std::size_t index) {
  if constexpr (I < std::variant_size_v<M>) {
    if (index == I) return take(reader, value.template emplace<I>());
    return take_alternative<I + 1>(reader, value, index);
  } else {
    return reader.refuse("is not a command that this version knows");
  }
}

template <class M>
bool take_variant(Reader& reader, M& value) {
  std::size_t size = 0;
  std::int64_t index = 0;
  if (!reader.take_array(size)) return false;
  if (size != 2) return reader.refuse("is not a pair");
  if (!reader.take(index)) return false;
  if (index < 0) return reader.refuse("is not a command that this version knows");
  return take_alternative<0>(reader, value, static_cast<std::size_t>(index));
}

template <class M>
bool take(Reader& reader, M& value) {
  if constexpr (std::is_enum_v<M>) {
    return take_enum(reader, value);
  } else if constexpr (std::is_arithmetic_v<M> || std::is_same_v<M, std::string>) {
    return reader.take(value);
  } else if constexpr (std::is_same_v<M, WallTime>) {
    std::int64_t micros = 0;
    const bool good = reader.take(micros);
    value = wall_from_micros(micros);
    return good;
  } else if constexpr (std::is_same_v<M, Millis>) {
    std::int64_t count = 0;
    const bool good = reader.take(count);
    value = Millis{count};
    return good;
  } else if constexpr (std::is_same_v<M, model::Bytes>) {
    return reader.take(value.count);
  } else if constexpr (std::is_same_v<M, model::Mode>) {
    return reader.take(value.bits);
  } else if constexpr (kIsOption<M>) {
    return take(reader, value.emplace());
  } else if constexpr (kIsList<M>) {
    return take_list(reader, value);
  } else if constexpr (std::is_same_v<M, model::TextMap>) {
    return take_text_map(reader, value);
  } else if constexpr (kIsVariant<M>) {
    return take_variant(reader, value);
  } else {
    static_assert(Visited<M>, "a member type that the wire does not know");
    value = M{};
    return take_struct(reader, value);
  }
}

}  // namespace distcron::wire::detail

namespace distcron::wire {

template <class T>
std::string encode(const T& value) {
  std::string out(1, kWireVersion);
  detail::StringSink sink{out};
  detail::Packer packer(sink);
  detail::put(packer, value);
  return out;
}

template <class T>
Result<T> decode(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != kWireVersion) {
    return fail(ErrorCode::kInvalid, bytes.empty() ? "cannot decode message: it is empty"
                                                   : "cannot decode message: unknown version");
  }
  bytes.remove_prefix(1);
  auto tape = make_tape(bytes);
  if (!tape) return fail(std::move(tape.error()).within("cannot decode"));
  Reader reader(bytes, *tape);
  T value{};
  if (!detail::take(reader, value)) {
    return fail(ErrorCode::kInvalid, "cannot decode message: " + reader.failure());
  }
  return value;
}

}  // namespace distcron::wire
