// SPDX-License-Identifier: Apache-2.0
// Reads crontab lines and prints "1 CONSUMED" or "0 ERROR" for each: the reader that
// tests/unit/cron/debian_acceptance.py compares with the real daemon. usage: cron_accept DIALECT
#include <iostream>
#include <string>

#include "cron/cron.h"

int main(int argc, char** argv) {
  const auto dialect = distcron::cron::parse_dialect(argc > 1 ? argv[1] : "");
  if (!dialect) {
    std::cerr << dialect.error().message << '\n';
    return 2;
  }
  distcron::cron::ParseOptions options;
  options.dialect = *dialect;
  for (std::string line; std::getline(std::cin, line);) {
    const auto prefix = distcron::cron::parse_prefix(line, options);
    if (prefix) {
      std::cout << "1 " << prefix->consumed << '\n';
    } else {
      std::cout << "0 " << prefix.error().message << '\n';
    }
  }
  return 0;
}
