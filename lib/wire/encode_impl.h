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

#include <msgpack/pack.hpp>

#include "model/command.h"
#include "wire/shapes.h"

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

}  // namespace distcron::wire::detail
