// SPDX-License-Identifier: Apache-2.0
// Half of wire/codec_impl.h: a tape to structs. See there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "model/command.h"
#include "wire/shapes.h"
#include "wire/tape.h"

namespace distcron::wire::detail {

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
