// SPDX-License-Identifier: Apache-2.0
// Which kinds of member types there are, for codec and JSON alike. Pure, compile time only.
#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

#include "model/enums.h"
#include "model/job_spec.h"

namespace distcron::wire::detail {

inline constexpr std::size_t kFieldsMax = 96;  ///< Of one struct; JobSpec has the most.

struct AnyVisitor {
  template <class M>
  void operator()(const model::Field& /*field*/, M& /*member*/) const {}
};

/// A struct with a field list.
template <class T>
concept Visited = requires(T& value) {
  visit_fields(value, AnyVisitor{});
};

template <class M>
inline constexpr bool kIsOption = false;
template <class T>
inline constexpr bool kIsOption<std::optional<T>> = true;

template <class M>
inline constexpr bool kIsStructOption = false;
template <Visited T>
inline constexpr bool kIsStructOption<std::optional<T>> = true;

template <class M>
inline constexpr bool kIsList = false;
template <class T>
inline constexpr bool kIsList<std::vector<T>> = true;

template <class M>
inline constexpr bool kIsStructList = false;
template <Visited T>
inline constexpr bool kIsStructList<std::vector<T>> = true;

template <class M>
inline constexpr bool kIsVariant = false;
template <class... Ts>
inline constexpr bool kIsVariant<std::variant<Ts...>> = true;

// How many enumerators there are; the argument only picks the type.
template <model::NamedEnum E>
constexpr std::size_t enum_size(E /*as*/) {
  return model::EnumNames<E>::kNames.size();
}

constexpr std::size_t enum_size(cron::Dialect /*as*/) {
  return cron::kDialects.size();
}

constexpr std::size_t enum_size(cron::DstMode /*as*/) {
  return cron::kDstModes.size();
}

}  // namespace distcron::wire::detail
