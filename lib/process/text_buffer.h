// SPDX-License-Identifier: Apache-2.0
// Short texts and numbers without allocation, locale or stdio: the static stub starts without the
// C library's own start-up and may use nothing that depends on it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace distcron::process {

/// A NUL-ended text of at most N - 1 bytes. Longer texts are cut, and then is_whole() is false.
template <std::size_t N>
class TextBuffer {
 public:
  TextBuffer& add(std::string_view text) {
    for (const char c : text)
      put(c);
    return *this;
  }

  TextBuffer& add(std::int64_t number) {
    if (number < 0) put('-');
    std::array<char, 20> digits{};
    std::size_t count = 0;
    std::uint64_t rest =
        number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    do {
      digits[count++] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    } while (rest != 0);
    while (count > 0)
      put(digits[--count]);
    return *this;
  }

  [[nodiscard]] const char* c_str() const { return bytes_.data(); }

  [[nodiscard]] bool is_empty() const { return size_ == 0; }

  [[nodiscard]] bool is_whole() const { return is_whole_; }

  void clear() {
    size_ = 0;
    bytes_[0] = '\0';
    is_whole_ = true;
  }

 private:
  void put(char c) {
    if (size_ + 1 >= N) {
      is_whole_ = false;
      return;
    }
    bytes_[size_++] = c;
    bytes_[size_] = '\0';
  }

  std::array<char, N> bytes_{};
  std::size_t size_ = 0;
  bool is_whole_ = true;
};

/// The decimal number at the start of `text`, which is moved behind it; 0 when there is none.
inline std::uint64_t take_decimal(const char*& text) {
  std::uint64_t value = 0;
  while (*text >= '0' && *text <= '9') {
    value = value * 10 + static_cast<std::uint64_t>(*text++ - '0');
  }
  return value;
}

}  // namespace distcron::process
