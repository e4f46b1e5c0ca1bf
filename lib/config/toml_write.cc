// SPDX-License-Identifier: Apache-2.0
#include "config/toml_write.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace distcron::config {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

/// Bytes of the UTF-8 character at the front of `text`; 0 when it is none. RFC 3629 section 4.
std::size_t character_size(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t size = 0;
  if (lead >= 0xc2 && lead <= 0xdf) size = 2;
  if (lead >= 0xe0 && lead <= 0xef) size = 3;
  if (lead >= 0xf0 && lead <= 0xf4) size = 4;
  if (size == 0 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  }
  const unsigned char second = byte(1);
  const bool is_bad = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                      (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
  return is_bad ? 0 : size;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
}

std::string escape(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  std::array<char, 8> out{};
  std::snprintf(out.data(), out.size(), "\\u%04X", static_cast<unsigned>(c) & 0x7fU);
  return out.data();
}

/// Appends the first character of `text` as it is, or as U+FFFD, and cuts it off.
void move_character(std::string_view& text, std::string& out) {
  const std::size_t size = character_size(text);
  out += size == 0 ? kReplacement : text.substr(0, size);
  text.remove_prefix(size == 0 ? 1 : size);
}

/// Whether ''' keeps the text byte for byte. The newline after ''' is not part of the text.
bool fits_literal(std::string_view text) {
  if (text.find("''") != std::string_view::npos || text.back() == '\'') return false;
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return is_control(c) && c != '\n' && c != '\t'; });
}

}  // namespace

std::string toml_quote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const char c = text.front();
    if (is_control(c) || c == '"' || c == '\\') {
      out += escape(c);
      text.remove_prefix(1);
    } else {
      move_character(text, out);
    }
  }
  return out + '"';
}

std::string toml_text(std::string_view text) {
  if (text.find('\n') == std::string_view::npos || !fits_literal(text)) return toml_quote(text);
  std::string out = "'''\n";
  while (!text.empty())
    move_character(text, out);
  return out + "'''";
}

std::string toml_key(std::string_view key) {
  const bool is_bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return is_bare ? std::string(key) : toml_quote(key);
}

std::string toml_value(const std::string& value) {
  return toml_text(value);
}

std::string toml_value(const model::TextList& value) {
  std::string out = "[";
  for (const std::string& text : value)
    out += (out.size() > 1 ? ", " : "") + toml_quote(text);
  return out + ']';
}

std::string toml_value(const std::vector<std::int32_t>& value) {
  std::string out = "[";
  for (const std::int32_t number : value) {
    out += (out.size() > 1 ? ", " : "") + std::to_string(number);
  }
  return out + ']';
}

std::string toml_value(const model::TextMap& value) {
  if (value.empty()) return "{}";
  std::string out = "{ ";
  for (const auto& [key, text] : value) {
    out += (out.size() > 2 ? ", " : "") + toml_key(key) + " = " + toml_quote(text);
  }
  return out + " }";
}

std::string toml_value(double value) {
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  std::string out = model::format_value(value);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

}  // namespace distcron::config
