// SPDX-License-Identifier: Apache-2.0
#include "model/selector.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/text.h"
#include "model/glob.h"

namespace distcron::model {

namespace {

constexpr std::size_t kTermsMax = 64;

bool is_word(std::string_view text, std::string_view extra) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [extra](char c) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.' || c == '/' || c == ':' || c == '@';
    return plain || byte >= 0x80 || extra.find(c) != std::string_view::npos;
  });
}

constexpr std::string_view kGlobCharacters = "*?[]!^\\+";

tl::unexpected<Error> bad_term(std::string_view term, std::string_view why) {
  return fail_hint(ErrorCode::kInvalid,
                   "selector term \"" + std::string(term) + "\": " + std::string(why),
                   "terms are key=value, key!=value or a name, joined by , or &&");
}

Result<SelectorTerm> parse_term(std::string_view term) {
  SelectorTerm out;
  std::size_t equals = term.find('=');
  if (equals == std::string_view::npos) {
    if (!is_word(term, kGlobCharacters)) return bad_term(term, "is not a name");
    out.key = "name";
    out.pattern = term;
    return out;
  }
  std::string_view key = term.substr(0, equals);
  std::string_view value = term.substr(equals + 1);
  if (!key.empty() && key.back() == '!') {
    out.is_negated = true;
    key.remove_suffix(1);
  } else if (!value.empty() && value.front() == '=') {
    value.remove_prefix(1);
  }
  key = trim(key);
  value = trim(value);
  if (!is_word(key, "")) return bad_term(term, "lacks a label before the =");
  if (!value.empty() && !is_word(value, kGlobCharacters)) {
    return bad_term(term, "has characters that no label value has");
  }
  out.key = key;
  out.pattern = value;
  return out;
}

bool holds(const SelectorTerm& term, std::string_view name, const TextMap& labels) {
  const bool is_name = term.key == "name" || term.key == "host";
  if (is_name) return glob_match(term.pattern, name) != term.is_negated;
  const auto label = labels.find(term.key);
  const bool has = label != labels.end() && glob_match(term.pattern, label->second);
  return has != term.is_negated;
}

}  // namespace

Result<Selector> parse_selector(std::string_view text) {
  Selector out;
  if (trim(text).empty()) return out;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::size_t both = text.find("&&");
    const std::size_t end = std::min(comma, both);
    const std::string_view term = trim(text.substr(0, end));
    if (term.empty()) return bad_term(term, "is empty");
    if (out.terms.size() == kTermsMax) return bad_term(term, "is one of more than 64 terms");
    DC_TRY(auto parsed, parse_term(term));
    out.terms.push_back(std::move(parsed));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + (end == both ? 2U : 1U));
  }
}

bool matches(const Selector& selector, std::string_view name, const TextMap& labels) {
  return std::all_of(selector.terms.begin(), selector.terms.end(),
                     [&](const SelectorTerm& term) { return holds(term, name, labels); });
}

bool matches(std::string_view selector, std::string_view name, const TextMap& labels) {
  const Result<Selector> parsed = parse_selector(selector);
  return parsed && matches(*parsed, name, labels);
}

std::string first_mismatch(std::string_view selector, std::string_view name,
                           const TextMap& labels) {
  const Result<Selector> parsed = parse_selector(selector);
  if (!parsed) return std::string(selector);
  for (const SelectorTerm& term : parsed->terms) {
    if (!holds(term, name, labels)) {
      return term.key + (term.is_negated ? "!=" : "=") + term.pattern;
    }
  }
  return {};
}

}  // namespace distcron::model
