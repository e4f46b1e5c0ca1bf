// SPDX-License-Identifier: Apache-2.0
// Half of wire/codec_impl.h: structs to msgpack. See there.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "model/command.h"
#include "wire/shapes.h"
#include "wire/writer.h"

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

template <class M>
void put(Writer& writer, const M& value);

template <Visited T>
void put_struct(Writer& writer, const T& value) {
  const Defaults<T>& defaults = Defaults<T>::instance();
  std::bitset<kFieldsMax> is_written;
  std::size_t i = 0;
  visit_fields(value, [&](const model::Field&, const auto& member) {
    using Member = std::remove_cvref_t<decltype(member)>;
    is_written[i] = !is_same(member, *static_cast<const Member*>(defaults.members[i]));
    ++i;
  });
  writer.put_map(is_written.count());
  i = 0;
  visit_fields(value, [&](const model::Field& field, const auto& member) {
    if (!is_written[i++]) return;
    writer.put(field.key);
    put(writer, member);
  });
}

template <class M>
void put(Writer& writer, const M& value) {
  if constexpr (std::is_same_v<M, bool>) {
    writer.put(value);
  } else if constexpr (std::is_enum_v<M>) {
    writer.put(static_cast<std::int64_t>(value));
  } else if constexpr (std::is_same_v<M, std::uint64_t>) {
    writer.put(value);
  } else if constexpr (std::is_integral_v<M>) {
    writer.put(std::int64_t{value});
  } else if constexpr (std::is_same_v<M, double>) {
    writer.put(value);
  } else if constexpr (std::is_same_v<M, std::string>) {
    writer.put(std::string_view(value));
  } else if constexpr (std::is_same_v<M, WallTime>) {
    writer.put(epoch_micros(value));
  } else if constexpr (std::is_same_v<M, Millis>) {
    writer.put(std::int64_t{value.count()});
  } else if constexpr (std::is_same_v<M, model::Bytes>) {
    writer.put(value.count);
  } else if constexpr (std::is_same_v<M, model::Mode>) {
    writer.put(std::int64_t{value.bits});
  } else if constexpr (kIsOption<M>) {
    if (value) {
      put(writer, *value);
    } else {
      writer.put_nil();
    }
  } else if constexpr (kIsList<M>) {
    writer.put_array(value.size());
    for (const auto& member : value)
      put(writer, member);
  } else if constexpr (std::is_same_v<M, model::TextMap>) {
    writer.put_map(value.size());
    for (const auto& [key, text] : value) {
      writer.put(std::string_view(key));
      writer.put(std::string_view(text));
    }
  } else if constexpr (kIsVariant<M>) {
    writer.put_array(2);
    writer.put(static_cast<std::int64_t>(value.index()));
    std::visit([&](const auto& chosen) { put(writer, chosen); }, value);
  } else {
    static_assert(Visited<M>, "a member type that the wire does not know");
    put_struct(writer, value);
  }
}

}  // namespace distcron::wire::detail
