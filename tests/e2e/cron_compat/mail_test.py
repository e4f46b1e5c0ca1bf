#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mail of jobs' output, as Debian's real cron sends it through the same sendmail; notify rules."""

import pathlib
import unittest

import sandbox
from sandbox import one_node

TABLE = """
* * * * * root echo plain
* * * * * root true
* * * * * {user} echo one; echo two >&2%in
MAILTO=""
* * * * * root echo nobody reads this
MAILTO=joe@example.org,ann@example.org
* * * * * nobody echo 'a "quoted" \\% command'; exit 3
MAILTO="; rm -rf /"
* * * * * root echo unsafe
MAILTO=-oops
* * * * * root echo option
MAILTO=joe@example.org
MAILFROM=cron@example.org
CONTENT_TYPE="text/html; charset=utf-8"
CONTENT_TRANSFER_ENCODING=quoted-printable
A=b c
* * * * * {user} printf 'no newline at the end'
"""
MAILS = 4
RUN_AS = ("daemon", "nobody")


def read_mails(folder):
    """[(who called, arguments, {header: [values]}, body)], by command in the subject."""
    mails = []
    for path in folder.glob("*.mail"):
        call, _, mail = path.read_text(encoding="utf-8").partition("\n\n")
        user, *arguments = call.splitlines()
        head, _, body = mail.partition("\n\n")
        headers = {}
        for line in head.splitlines():
            name, _, value = line.partition(": ")
            headers.setdefault(name, []).append(value)
        mails.append((user, [word[4:] for word in arguments], headers, body))
    return sorted(mails, key=lambda mail: mail[2]["Subject"])


class MailTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.host = sandbox.Host()
        cls.mail = cls.host.fake_sendmail()
        cls.host.replace("/etc/environment", "ONLY_PAM=yes\n")

    def setUp(self):
        for path in self.mail.iterdir():
            path.unlink()

    def wait_mails(self, count, seconds=40):
        one_node.wait_until(lambda: len(list(self.mail.glob("*.mail"))) >= count, seconds,
                            f"{count} mails")
        return read_mails(self.mail)

    def import_table(self, node, text, dialect="debian", check=True):
        path = self.host.folder / "table"
        path.write_text(text, encoding="utf-8")
        done = node.ctl("import", "crontab", path, "--system", "--dialect", dialect, "--as-is",
                        "--disabled", "-o", "json", check=check)
        return [item["job"] for item in one_node.json.loads(done.stdout)["items"]]

    def test_output_is_mailed_as_debians_cron_mails_it(self):
        text = TABLE.format(user=sandbox.USER)
        self.host.write_system_table("mails", text)
        self.host.start_cron()
        try:
            self.wait_mails(MAILS)
            one_node.time.sleep(1)
        finally:
            self.host.stop_cron()
        real = read_mails(self.mail)
        self.setUp()
        with one_node.OneNode() as node:
            for run in [node.run_job(job) for job in self.import_table(node, text)]:
                node.wait(run)
            self.wait_mails(len(real))
            one_node.time.sleep(1)
        ours = read_mails(self.mail)
        for mail in ours:
            self.assertRegex(mail[2].pop("X-Distcron-Job")[0], "^table-")
            self.assertRegex(mail[2].pop("X-Distcron-Run")[0], "^[0-9]+$")
            self.assertEqual(mail[2].pop("Auto-Submitted"), ["auto-generated"])
        for mail in real + ours:
            mail[2].get("X-Cron-Env", []).sort()
        self.assertEqual(len(ours), len(real), (ours, real))
        for mine, other in zip(ours, real):
            self.assertEqual(mine, other)
        self.assertEqual(len(real), MAILS)
        print(f"{len(real)} mails, equal but for three headers of ours")

    def test_cronie_mails_lines_with_n_on_failure_only(self):
        text = "* * * * * root -n echo good\n* * * * * root -n echo bad; exit 1\n"
        with one_node.OneNode() as node:
            for run in [node.run_job(job) for job in self.import_table(node, text, "cronie")]:
                node.wait(run)
            self.assertEqual([mail[3] for mail in self.wait_mails(1)], ["bad\n"])
            one_node.time.sleep(1)
            self.assertEqual(len(read_mails(self.mail)), 1)

    def test_rules_mail_and_start_commands_as_the_user_of_the_job(self):
        told = self.host.folder / "told"
        told.mkdir()
        told.chmod(0o1777)
        command = f'echo "$(id -un) $DISTCRON_JOB $DISTCRON_STATE $DISTCRON_EXIT_CODE" > {told}/'
        flag = self.host.folder / "flag"
        with one_node.OneNode() as node:
            node.ctl("add", "flaky", "--schedule", "@yearly", "--user", "nobody",
                     "--notify", "failed:mail:joe@example.org",
                     "--notify", f"failed:exec:{command}failed",
                     "--notify", f"recovered:exec:{command}recovered",
                     "--notify", "ok:mail:good@example.org",
                     "--command", f"echo said; test -e {flag} || exit 7")
            node.wait(node.run_job("flaky"))
            failed = one_node.wait_until(lambda: (told / "failed").exists()
                                         and (told / "failed").read_text(), 20, "failed:exec")
            self.assertEqual(failed, "nobody flaky failed 7\n")
            user, arguments, headers, body = self.wait_mails(1)[0]
            self.assertEqual((user, arguments[-1]), ("nobody", "joe@example.org"))
            self.assertEqual(headers["Subject"], ["[distcron] flaky failed"])
            self.assertIn("said", body)
            self.assertFalse((told / "recovered").exists())
            flag.touch()
            node.wait(node.run_job("flaky"))
            recovered = one_node.wait_until(lambda: (told / "recovered").exists()
                                            and (told / "recovered").read_text(), 20, "recovered")
            self.assertEqual(recovered, "nobody flaky ok 0\n")
            self.assertIn("[distcron] flaky ok",
                          [mail[2]["Subject"][0] for mail in self.wait_mails(2)])
            node.wait(node.run_job("flaky"))
            self.wait_mails(3)  # ok again, but no recovery: the file is not written again
            self.assertEqual((told / "recovered").read_text(), recovered)

    def test_missed_and_unknown_runs_are_told(self):
        told = self.host.folder / "told-missed"
        told.mkdir()
        told.chmod(0o1777)
        command = f"exec:echo $DISTCRON_STATE $DISTCRON_REASON > {told}/$DISTCRON_JOB"
        with one_node.OneNode() as node:
            node.ctl("add", "no-folder", "--schedule", "@yearly", "--cwd", "/no/such/folder",
                     "--notify", f"missed:{command}", "--command", "true")
            node.wait(node.run_job("no-folder"))
            node.ctl("add", "no-witness", "--schedule", "@yearly",
                     "--notify", f"unknown:{command}", "--command", "exec sleep 1000")
            run = node.run_job("no-witness")
            node.wait_running(run)
            for pid in one_node.processes(["sleep", "1000"]):
                one_node.os.kill(one_node.parent_of(pid), one_node.signal.SIGKILL)
            self.assertEqual(node.wait(run)["state"], "unknown")
            for pid in one_node.processes(["sleep", "1000"]):
                one_node.os.kill(pid, one_node.signal.SIGKILL)
            for name, text in (("no-folder", "missed setup_cwd\n"),
                               ("no-witness", "unknown supervisor_lost\n")):
                path = told / name
                one_node.wait_until(lambda: path.exists() and path.read_text() == text, 20, name)

    def test_without_sendmail_output_is_kept_and_status_says_so(self):
        program = pathlib.Path("/none/sendmail")
        with one_node.OneNode([f"mail.sendmail={program}"]) as node:
            run = node.run_job(self.import_table(node, "* * * * * root echo kept\n")[0])
            node.wait(run)
            warnings = one_node.wait_until(
                lambda: [text for text in one_node.json.loads(
                    node.ctl("cluster", "status", "-o", "json").stdout).get("warnings", [])
                         if "mail" in text], 20, "a warning")
            self.assertIn(str(program), warnings[0])
            self.assertEqual(node.ctl("logs", run).stdout, "kept\n")
        self.assertEqual(read_mails(self.mail), [])


if __name__ == "__main__":
    sandbox.main()
