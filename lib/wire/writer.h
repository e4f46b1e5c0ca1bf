// SPDX-License-Identifier: Apache-2.0
// Writer: msgpack values at the end of a string, each in its shortest form. Not a template, so that
// msgpack is compiled once. No thread rule; the string must outlive the writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace distcron::wire {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void put(bool value);
  void put(std::int64_t value);
  void put(std::uint64_t value);
  void put(double value);
  void put(std::string_view text);
  void put_nil();
  /// `size` members follow.
  void put_array(std::size_t size);
  /// `size` pairs of key and value follow.
  void put_map(std::size_t size);

 private:
  std::string& out_;
};

}  // namespace distcron::wire
