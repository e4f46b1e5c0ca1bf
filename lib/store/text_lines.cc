// SPDX-License-Identifier: Apache-2.0
#include "store/text_lines.h"

#include <utility>

namespace distcron::store {
namespace {

void append_escaped(std::string& out, std::string_view item) {
  for (const char c : item) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\') {
      out += "\\\\";
    } else {
      out += c;
    }
  }
}

std::string unescape(std::string_view item) {
  std::string out;
  out.reserve(item.size());
  for (std::size_t i = 0; i < item.size(); ++i) {
    if (item[i] != '\\' || i + 1 == item.size()) {
      out += item[i];
      continue;
    }
    ++i;
    out += item[i] == 'n' ? '\n' : item[i] == 't' ? '\t' : item[i];
  }
  return out;
}

/// Takes the text up to `mark` off the front of `rest`; the mark goes too.
std::string_view take(std::string_view& rest, char mark) {
  const std::size_t end = rest.find(mark);
  const std::string_view head = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return head;
}

}  // namespace

std::string format_lines(const model::TextList& items) {
  std::string out;
  for (const std::string& item : items) {
    append_escaped(out, item);
    out += '\n';
  }
  return out;
}

std::string format_lines(const model::TextMap& items) {
  std::string out;
  for (const auto& [key, value] : items) {
    append_escaped(out, key);
    out += '=';
    append_escaped(out, value);
    out += '\n';
  }
  return out;
}

std::string format_lines(const std::vector<model::Fact>& facts) {
  std::string out;
  for (const model::Fact& fact : facts) {
    out += fact.ok ? "ok\t" : "no\t";
    append_escaped(out, fact.check);
    out += '\t';
    append_escaped(out, fact.text);
    out += '\n';
  }
  return out;
}

void parse_lines(std::string_view text, model::TextList& items) {
  items.clear();
  while (!text.empty())
    items.push_back(unescape(take(text, '\n')));
}

void parse_lines(std::string_view text, model::TextMap& items) {
  items.clear();
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    std::string key = unescape(take(line, '='));
    items.emplace(std::move(key), unescape(line));
  }
}

void parse_lines(std::string_view text, std::vector<model::Fact>& facts) {
  facts.clear();
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    const bool ok = take(line, '\t') == "ok";
    std::string check = unescape(take(line, '\t'));
    facts.push_back({std::move(check), ok, unescape(line)});
  }
}

}  // namespace distcron::store
