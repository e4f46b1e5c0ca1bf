// SPDX-License-Identifier: Apache-2.0
#include "agent/log.h"

#include <cstdlib>
#include <memory>

#include <nlohmann/json.hpp>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>

namespace distcron::agent {

namespace {

spdlog::level::level_enum level_of(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::kTrace:
      return spdlog::level::trace;
    case config::LogLevel::kDebug:
      return spdlog::level::debug;
    case config::LogLevel::kInfo:
      return spdlog::level::info;
    case config::LogLevel::kWarning:
      return spdlog::level::warn;
    case config::LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

/// Escapes the text of a line for the JSON pattern; the logger's name tells the format.
void write(spdlog::level::level_enum level, std::string_view component, const std::string& text) {
  const std::shared_ptr<spdlog::logger> logger = spdlog::default_logger();
  if (logger->name() == "json") {
    const nlohmann::json line(text);
    logger->log(level, R"("logger":"{}","msg":{})", component,
                line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  logger->log(level, "{:<6} {}", component, text);
}

}  // namespace

void open_log(const config::Settings::Log& settings) {
  const bool under_systemd = std::getenv("JOURNAL_STREAM") != nullptr;
  const bool journal = settings.target == config::LogTarget::kJournal ||
                       (settings.target == config::LogTarget::kAuto && under_systemd);
  const bool json = settings.format == config::LogFormat::kJson;
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (journal) {
    sink = std::make_shared<spdlog::sinks::systemd_sink_mt>("distcrond", true);
    sink->set_pattern("%v");
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        json ? R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
             : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v",
        spdlog::pattern_time_type::utc));
  }
  auto logger = std::make_shared<spdlog::logger>(json && !journal ? "json" : "text", sink);
  logger->set_level(level_of(settings.level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void set_log_level(config::LogLevel level) {
  spdlog::default_logger()->set_level(level_of(level));
}

void log_info(std::string_view component, const std::string& text) {
  write(spdlog::level::info, component, text);
}

void log_warning(std::string_view component, const std::string& text) {
  write(spdlog::level::warn, component, text);
}

void log_error(std::string_view component, const std::string& text) {
  write(spdlog::level::err, component, text);
}

}  // namespace distcron::agent
