// SPDX-License-Identifier: Apache-2.0
// The templates behind wire/codec.h, over every struct with visit_fields. Included only by the
// files of this module that instantiate them.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "wire/codec.h"
#include "wire/decode_impl.h"
#include "wire/encode_impl.h"

namespace distcron::wire {

template <class T>
std::string encode(const T& value) {
  std::string out(1, kWireVersion);
  Writer writer(out);
  detail::put(writer, value);
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
