// SPDX-License-Identifier: Apache-2.0
#include "ctl/choices.h"

#include "cron/dialect.h"

namespace distcron::ctl {

std::vector<std::string> dialect_names() {
  std::vector<std::string> names;
  for (const cron::Dialect dialect : cron::kDialects)
    names.emplace_back(cron::name_of(dialect));
  return names;
}

std::vector<std::string> crontab_dialect_names() {
  return {"debian", "cronie", "supercronic"};
}

std::vector<std::string> dst_names() {
  std::vector<std::string> names;
  for (const cron::DstMode mode : cron::kDstModes)
    names.emplace_back(cron::name_of(mode));
  return names;
}

}  // namespace distcron::ctl
