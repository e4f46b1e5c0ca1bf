// SPDX-License-Identifier: Apache-2.0
#include "wire/writer.h"

#include <msgpack/pack.hpp>

namespace distcron::wire {

namespace {

struct StringSink {
  std::string& out;

  void write(const char* data, std::size_t size) { out.append(data, size); }
};

/// Calls pack(packer) with a packer that appends to `out`.
template <class Pack>
void append(std::string& out, const Pack& pack) {
  StringSink sink{out};
  msgpack::packer<StringSink> packer(sink);
  pack(packer);
}

}  // namespace

void Writer::put(bool value) {
  append(out_, [value](auto& packer) { value ? packer.pack_true() : packer.pack_false(); });
}

void Writer::put(std::int64_t value) {
  append(out_, [value](auto& packer) { packer.pack_int64(value); });
}

void Writer::put(std::uint64_t value) {
  append(out_, [value](auto& packer) { packer.pack_uint64(value); });
}

void Writer::put(double value) {
  append(out_, [value](auto& packer) { packer.pack_double(value); });
}

void Writer::put(std::string_view text) {
  append(out_, [text](auto& packer) {
    packer.pack_str(static_cast<std::uint32_t>(text.size()));
    packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
  });
}

void Writer::put_nil() {
  append(out_, [](auto& packer) { packer.pack_nil(); });
}

void Writer::put_array(std::size_t size) {
  append(out_, [size](auto& packer) { packer.pack_array(static_cast<std::uint32_t>(size)); });
}

void Writer::put_map(std::size_t size) {
  append(out_, [size](auto& packer) { packer.pack_map(static_cast<std::uint32_t>(size)); });
}

}  // namespace distcron::wire
