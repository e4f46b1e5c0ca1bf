// SPDX-License-Identifier: Apache-2.0
#include "config/crontab_import.h"

#include <set>
#include <string>

#include <doctest/doctest.h>

#include "config/crontab_export.h"

namespace distcron::config {
namespace {

using cron::Dialect;
using cron::TableKind;
using model::JobSpec;

ImportOptions options_for(Dialect dialect, TableKind kind) {
  ImportOptions options;
  options.table.dialect = dialect;
  options.table.kind = kind;
  options.table_user = "alice";
  options.source = kind == TableKind::kSystem ? "/etc/cron.d/php" : "/var/spool/cron/alice";
  options.host = "web1";
  options.host_zone = "Europe/Berlin";
  options.enable = true;
  return options;
}

ImportResult import_text(std::string_view text, const ImportOptions& options) {
  cron::LintContext context;
  context.zone = cron::Zone::utc();
  return import_crontab(text, options, context);
}

JobSpec only_job(const ImportResult& result) {
  REQUIRE(result.items.size() == 1);
  REQUIRE(result.items[0].job.has_value());
  return *result.items[0].job;
}

TEST_SUITE("config") {
  TEST_CASE("an entry of a Debian system table becomes a job with cron's habits") {
    const ImportResult result = import_text(
        "SHELL=/bin/bash\nPATH=/bin\nMAILTO=ops@example.org\nLOGNAME=x\nHOME=/srv\n"
        "09,39 *  * * *\troot  [ -x /usr/lib/php/sessionclean ] && echo \\%%in%put\n",
        options_for(Dialect::kDebian, TableKind::kSystem));
    const JobSpec job = only_job(result);

    CHECK(job.name.substr(0, 17) == "php-sessionclean-");
    CHECK(job.name.size() == 25);
    CHECK(job.enabled);
    CHECK(job.schedule == model::TextList{"09,39 *  * * *"});
    CHECK(job.dialect == Dialect::kDebian);
    CHECK(job.tz == "Europe/Berlin");
    CHECK(job.command == "[ -x /usr/lib/php/sessionclean ] && echo %");
    CHECK(job.stdin_text == "in\nput\n");
    CHECK(job.user == "root");
    CHECK(job.env == model::TextMap{{"HOME", "/srv"},
                                    {"MAILTO", "ops@example.org"},
                                    {"PATH", "/bin"},
                                    {"SHELL", "/bin/bash"}});
    CHECK(job.mail_to == "ops@example.org");
    CHECK(job.concurrency == model::Concurrency::kAllow);
    CHECK(job.misfire == model::Misfire::kSkip);
    CHECK(job.compat == model::Compat::kDebian);
    CHECK_FALSE(job.no_new_privs);
    CHECK(job.orphans == model::Orphans::kLeave);
    CHECK(job.on == "host=web1");
    CHECK(job.labels == model::TextMap{{"origin", "crontab"}});
    CHECK(job.origin_source == "crontab:/etc/cron.d/php");
    CHECK(job.origin_line == 6);
    CHECK(job.origin_host == "web1");
    CHECK(result.imported == 1);
    CHECK(result.refused == 0);
    REQUIRE(result.file_lints.size() == 1);
    CHECK(result.file_lints[0].code == "L25");
  }

  TEST_CASE("the three daemons leave their own marks on a job") {
    const JobSpec cronie = only_job(
        import_text("CRON_TZ=Asia/Tokyo\nUSER=x\nRANDOM_DELAY=5\n-0 3 * * * root -n /bin/x\n",
                    options_for(Dialect::kCronie, TableKind::kSystem)));
    CHECK(cronie.compat == model::Compat::kCronie);
    CHECK(cronie.tz == "Asia/Tokyo");
    CHECK(cronie.jitter == Millis(300'000));
    CHECK(cronie.quiet_log);
    CHECK(cronie.mail_on_failure_only);
    CHECK_FALSE(cronie.env.contains("USER"));
    CHECK_FALSE(cronie.mail_to.has_value());

    const JobSpec supercronic =
        only_job(import_text("0 3 * * * date +%F\nA=1\nCRON_TZ=Asia/Tokyo\n",
                             options_for(Dialect::kSupercronic, TableKind::kUser)));
    CHECK(supercronic.compat == model::Compat::kSupercronic);
    CHECK(supercronic.command == "date +%F");
    CHECK(supercronic.user == "alice");
    CHECK(supercronic.env.at("A") == "1");
    CHECK(supercronic.tz == "Asia/Tokyo");
    CHECK(supercronic.mail_to == "");
    CHECK(supercronic.concurrency == model::Concurrency::kForbid);

    const JobSpec debian = only_job(import_text("CRON_TZ=Asia/Tokyo\n@reboot /bin/x\n",
                                                options_for(Dialect::kDebian, TableKind::kUser)));
    CHECK(debian.tz == "Europe/Berlin");
    CHECK(debian.schedule == model::TextList{"@reboot"});
    CHECK(debian.user == "alice");
  }

  TEST_CASE("names are stable, differ by user, schedule and command, and number equal lines") {
    const ImportOptions options = options_for(Dialect::kDebian, TableKind::kUser);
    const std::string text =
        "0 3 * * * /opt/backup.sh\n0 3 * * * /opt/backup.sh\n0 4 * * * /opt/backup.sh\n"
        "0 3 * * * /opt/backup.sh -v\n0 3 * * * X=1 -q\n";

    const ImportResult first = import_text(text, options);
    const ImportResult second = import_text(text, options);

    std::set<std::string> names;
    for (std::size_t i = 0; i < first.items.size(); ++i) {
      REQUIRE(first.items[i].job.has_value());
      CHECK(*first.items[i].job == *second.items[i].job);
      names.insert(first.items[i].job->name);
    }
    CHECK(names.size() == 5);
    CHECK(first.items[0].job->name == "alice-backup.sh-7c30c0c9");
    CHECK(first.items[1].job->name == "alice-backup.sh-7c30c0c9-2");
    CHECK(first.items[4].job->name.substr(0, 10) == "alice-job-");
  }

  TEST_CASE("lines that cron silently reads otherwise are refused unless taken as they are") {
    ImportOptions options = options_for(Dialect::kDebian, TableKind::kUser);
    const std::string text =
        "0 0 30 2 * a\n5;3 * * * * b\n5~10 * * * * c\n0 0 * * 5#3 d\n0 3 * * * e\n61 * * * * f\n";

    const ImportResult careful = import_text(text, options);
    CHECK(careful.imported == 1);
    CHECK(careful.refused == 5);
    CHECK(careful.daemon_ignored_file);
    CHECK(careful.items[0].lints.at(0).code == "L01");
    CHECK(careful.items[3].status == ImportStatus::kRefused);

    options.as_is = true;
    const ImportResult as_is = import_text(text, options);
    CHECK(as_is.imported == 5);
    CHECK(as_is.refused == 1);
    CHECK(as_is.items[3].job->schedule == model::TextList{"0 0 * * 5#3"});
  }

  TEST_CASE("entries with nothing to run are ignored, and jobs stay disabled without --enable") {
    ImportOptions options = options_for(Dialect::kDebian, TableKind::kUser);
    options.enable = false;
    const ImportResult result = import_text("* * * * *\n0 3 * * * x\n", options);
    CHECK(result.items[0].status == ImportStatus::kIgnored);
    CHECK(name_of(result.items[0].status) == "ignored");
    CHECK_FALSE(result.items[1].job->enabled);
  }

  TEST_CASE("an entry that is more than a job can hold is refused with a reason") {
    const ImportResult result =
        import_text("0 3 * * * a:b /bin/x\n", options_for(Dialect::kCronie, TableKind::kSystem));
    CHECK(result.refused == 1);
    CHECK(result.items[0].lints.back().code == "E03");
    CHECK_FALSE(result.items[0].job.has_value());
  }

  TEST_CASE("mail goes nowhere when the daemon would not send it") {
    const ImportOptions options = options_for(Dialect::kDebian, TableKind::kUser);
    CHECK(only_job(import_text("MAILTO=\"\"\n0 3 * * * x\n", options)).mail_to == "");
    CHECK(only_job(import_text("MAILTO=a b\n0 3 * * * x\n", options)).mail_to == "");
    CHECK(only_job(import_text("MAILTO=a,b\n0 3 * * * x\n", options)).mail_to == "a,b");
    CHECK_FALSE(only_job(import_text("0 3 * * * x\n", options)).mail_to.has_value());
  }

  TEST_CASE("an exported table imports as the same jobs") {
    for (const Dialect dialect : {Dialect::kDebian, Dialect::kCronie}) {
      CAPTURE(cron::name_of(dialect));
      ImportOptions options = options_for(dialect, TableKind::kSystem);
      const ImportResult before = import_text(
          "17 *  * * * root cd / && run-parts --report /etc/cron.hourly\n"
          "@daily www-data date +\\%F%a%b\n"
          "PATH=/bin\nMAILTO=\"\"\n0 0 1-31/2 jan mon root echo 'a\\nb'\n"
          "FOO=\"a b\"\nMAILTO=ops\n*/35 8-18 * * 1-5 root /bin/x \"$FOO\"\n",
          options);
      std::vector<JobSpec> jobs;
      for (const ImportItem& item : before.items) {
        REQUIRE(item.job.has_value());
        jobs.push_back(*item.job);
      }

      const ExportResult exported = export_crontab(jobs, {dialect, "Europe/Berlin"});
      const ImportResult after = import_text(exported.text, options);

      CAPTURE(exported.text);
      CHECK(exported.left_out.empty());
      REQUIRE(after.items.size() == jobs.size());
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        REQUIRE(after.items[i].job.has_value());
        JobSpec again = *after.items[i].job;
        CHECK(again.name == jobs[i].name);
        again.origin_line = jobs[i].origin_line;
        CHECK(again == jobs[i]);
      }
    }
  }

  TEST_CASE("what cron cannot do stands in comments of the exported table") {
    JobSpec job;
    job.name = "nightly";
    job.description = "dumps the database";
    job.user = "root";
    job.argv = {"/bin/dump", "it's", "a b"};
    job.schedule = {"30 2 * * *"};
    job.timeout = Millis(1'000);
    JobSpec last_friday = job;
    last_friday.name = "friday";
    last_friday.schedule = {"0 0 * * 5L"};
    JobSpec by_hand = job;
    by_hand.schedule.clear();
    JobSpec script = job;
    script.argv.clear();
    script.script = "#!/bin/sh\n";
    JobSpec elsewhere = job;
    elsewhere.tz = "Asia/Tokyo";
    JobSpec off = job;
    off.enabled = false;

    const ExportResult result =
        export_crontab({job, last_friday, by_hand, script, elsewhere, off}, {});

    CHECK(result.written == 1);
    CHECK(result.left_out.size() == 4);
    CHECK(result.text.find("# job nightly\n# dumps the database\n# cron has no timeout\n") !=
          std::string::npos);
    CHECK(result.text.find("\n30 2 * * * root /bin/dump 'it'\\''s' 'a b'\n") != std::string::npos);
    CHECK(result.text.find("\n# disabled: 30 2 * * * root") != std::string::npos);
    CHECK(result.text.find("# left out: cron has no schedule like '0 0 * * 5L'\n") !=
          std::string::npos);
    CHECK(export_crontab({elsewhere}, {Dialect::kCronie, "UTC"})
              .text.find("CRON_TZ=Asia/Tokyo\n30 2 * * * root") != std::string::npos);
  }
}

}  // namespace
}  // namespace distcron::config
