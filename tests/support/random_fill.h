// SPDX-License-Identifier: Apache-2.0
// Random values for every struct with visit_fields, for round trips. Texts hold any bytes, numbers
// any magnitude; lists are short.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>

#include "base/rng.h"
#include "model/command.h"
#include "wire/shapes.h"

namespace distcron::test {

class RandomFill {
 public:
  explicit RandomFill(Rng& rng) : rng_(rng) {}

  template <class M>
  void fill(M& value) {
    using namespace wire::detail;  // NOLINT(google-build-using-namespace): names of shapes
    if constexpr (std::is_same_v<M, bool>) {
      value = rng_.below(2) == 0;
    } else if constexpr (std::is_enum_v<M>) {
      value = static_cast<M>(rng_.below(enum_size(M{})));
    } else if constexpr (std::is_integral_v<M>) {
      value = static_cast<M>(rng_.draw() >> rng_.below(64));
    } else if constexpr (std::is_same_v<M, double>) {
      value = static_cast<double>(rng_.below(1'000'000)) / 64.0;
    } else if constexpr (std::is_same_v<M, std::string>) {
      value.clear();
      for (std::size_t i = rng_.below(40); i > 0; --i)
        value += static_cast<char>(rng_.below(256));
    } else if constexpr (std::is_same_v<M, WallTime>) {
      value = wall_from_micros(static_cast<std::int64_t>(rng_.draw() >> (8 + rng_.below(50))));
    } else if constexpr (std::is_same_v<M, Millis>) {
      value = Millis{static_cast<std::int64_t>(rng_.below(3'153'600'000'000) >> rng_.below(40))};
    } else if constexpr (std::is_same_v<M, model::Bytes>) {
      value.count = static_cast<std::int64_t>(rng_.below(1ULL << 60U) >> rng_.below(60));
    } else if constexpr (std::is_same_v<M, model::Mode>) {
      value.bits = static_cast<std::int32_t>(rng_.below(010000));
    } else if constexpr (kIsOption<M>) {
      value.reset();
      if (rng_.below(2) == 0) fill(value.emplace());
    } else if constexpr (kIsList<M>) {
      value.clear();
      for (std::size_t i = rng_.below(4); i > 0; --i)
        fill(value.emplace_back());
    } else if constexpr (std::is_same_v<M, model::TextMap>) {
      value.clear();
      for (std::size_t i = rng_.below(4); i > 0; --i) {
        std::string key;
        fill(key);
        fill(value[key]);
      }
    } else if constexpr (kIsVariant<M>) {
      fill_alternative<0>(value, rng_.below(std::variant_size_v<M>));
    } else {
      // Some members keep their default, which the wire leaves out.
      visit_fields(value, [this](const model::Field&, auto& member) {
        if (rng_.below(4) != 0) fill(member);
      });
    }
  }

 private:
  template <std::size_t I, class M>
  void fill_alternative(M& value, std::size_t index) {
    if constexpr (I < std::variant_size_v<M>) {
      if (index == I) {
        fill(value.template emplace<I>());
      } else {
        fill_alternative<I + 1>(value, index);
      }
    }
  }

  Rng& rng_;
};

}  // namespace distcron::test
