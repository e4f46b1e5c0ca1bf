#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What strangers, other people's keys and a member that has gone bad send to agents at work: all of it
is refused, logged and counted, and the job of each second misses none."""

import json
import os
import pathlib
import re
import secrets
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402
import ticks  # noqa: E402
import zmq_raw as raw  # noqa: E402

MESH_PORT, CONTROL_PORT = 8471, 8472
DOORS = {"mesh": MESH_PORT, "control": CONTROL_PORT}
DECIDE, HOST_REPORTS = 7, 8  # places in model::Command
PROPOSE, WHOAMI = 1, 2  # wire::PeerAsk, wire::Op
LINES_MAX = 120  # of one agent's log about all that this test sends: 14 reasons, 2 doors, 10 s
HALF_OPEN = 200  # at each door
KNOCKS = 10_000


class OpenFleet(fleet.Fleet):
    """The control doors listen on TCP, too."""

    def add(self, number, sets=(), own_key=False):
        ipc = f"ipc://{self.folder}/n{number}/run/control.sock"
        tcp = f"tcp://127.{self.net}.0.{number + 1}:{CONTROL_PORT}"
        return super().add(number, [*sets, f"control.listen={ipc},{tcp}"], own_key)


class SecurityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fleet = cls.enterClassContext(OpenFleet(3))
        cls.fleet.wait_for_scheduler(1)
        for number in (2, 1):  # so that there is a term that is over
            cls.fleet.some_scheduler().ctl("cluster", "stepdown", "--to", f"n{number}")
            cls.fleet.wait_for_scheduler(number)
        # n3 is the one that goes bad; n2 works, under the eyes of n1.
        cls.job = ticks.Ticks(cls.fleet.folder)
        cls.job.add(cls.fleet[1], on=2)
        cls.evil = cls.fleet.folder / "evil"
        cls.fleet[1].ctl("add", "evil", "--manual", "--on", "name=n2", "--command",
                         f"touch {cls.evil}")
        cls.job.wait_for_more(1)
        cls.identity = json.loads((cls.fleet[3].storage / "member.json").read_text())
        cls.cluster = raw.stable_hash(cls.identity["cluster_id"])
        cls.agents = {number: cls.fleet[number].agent.pid for number in cls.fleet.members}

    def setUp(self):
        self.began = time.time()

    def tearDown(self):
        """Nothing that the test has sent has cost a slot, an agent or the order of the log."""
        self.job.wait_for_more(2)
        wanted = range(int(self.began) + 1, max(slot for slot, _ in self.job.starts()))

        def ended():
            rows = {one_node.epoch_of(item["scheduled_at"]): item
                    for item in self.fleet[2].history("tick")}
            states = [rows.get(slot, {}) for slot in wanted]
            return states if all(row.get("state") in one_node.FINAL for row in states) else None

        for row in one_node.wait_until(ended, 30, "each slot has come to an end"):
            self.assertEqual(row["state"], "ok", row)
        slots = [slot for slot, _ in self.job.starts()]
        self.assertEqual(len(slots), len(set(slots)))
        self.assertEqual({n: self.fleet[n].agent.poll() for n in (1, 2)}, {1: None, 2: None})
        self.assertFalse(self.evil.exists())
        self.assertEqual(self.fleet[1].history("evil"), [])
        for number in (1, 2):
            self.assertLess(len(self.lines(number)), LINES_MAX)

    # --- what an administrator sees ---------------------------------------------------------------

    def refused(self, number):
        """{(door, reason): (count, last)} as `node show` has it, asked at another agent."""
        some = self.fleet[2 if number == 1 else 1]
        shown = json.loads(some.ctl("node", "show", f"n{number}", "-o", "json").stdout)
        return {(item["door"], item["reason"]): (item["count"], item["last"])
                for item in shown["refused"]["items"]}

    def lines(self, number, *words):
        text = self.fleet[number].log_path.read_text(errors="replace")
        return [line for line in text.splitlines()
                if " refused door=" in line and all(word in line for word in words)]

    def wait_refused(self, number, door, reason, before, more=1, who="", seconds=30):
        """So many more of them are counted, and the log and the count tell who it was."""

        def is_counted():
            count, last = self.refused(number).get((door, reason), (0, ""))
            return count >= before.get((door, reason), (0, ""))[0] + more and who in last

        one_node.wait_until(is_counted, seconds, f"n{number} counts {more} {reason} of {who} at {door}")
        one_node.wait_until(lambda: self.lines(number, f"door={door}", f"reason={reason}"), 30,
                            f"n{number} logs {reason} at {door}")

    # --- who sends --------------------------------------------------------------------------------

    def url(self, number, door="mesh"):
        return f"tcp://{self.fleet[number].address}:{DOORS[door]}"

    def key_of(self, path):
        key = raw.read_key(path)
        return key["public_key"], key["secret_key"]

    def member_key(self, number):
        return self.key_of(self.fleet[number].storage / "keys/mesh.key")

    def server_key(self, number, door="mesh"):
        if door == "mesh":
            return self.member_key(number)[0]
        return raw.read_key(self.fleet[1].storage / "keys/admin.key")["server_key"]

    def as_member(self, number, key=None):
        """A connection to the mesh of `number` with the key of n3."""
        return raw.Raw(self.url(number), key or self.member_key(3), self.server_key(number))

    def frame(self, kind, body, sender=3, **more):
        # Each of a life of its own: then none is dropped as what an earlier one left.
        return raw.frame(kind, more.pop("cluster", self.cluster), sender, body,
                         boot=secrets.randbits(63) | 1, **more)

    # --- tests ------------------------------------------------------------------------------------

    def test_each_port_of_an_agent_is_a_door_that_wants_a_key(self):
        inodes = set()
        for link in pathlib.Path(f"/proc/{self.agents[2]}/fd").iterdir():
            try:
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))
            except OSError:
                continue  # it was closed meanwhile
            if found:
                inodes.add(found[1])
        ports = set()
        for table in ("tcp", "tcp6"):
            for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == "0A" and words[9] in inodes:  # listens
                    ports.add(int(words[1].rpartition(":")[2], 16))
        self.assertEqual(ports, set(DOORS.values()))
        for door in DOORS:
            before = self.refused(2)
            visitor = raw.dial(self.fleet[2].address, DOORS[door])
            self.assertTrue(visitor.recv(10))  # the agent's greeting
            visitor.sendall(raw.ZMTP3_NULL)
            self.assertTrue(raw.is_cut(visitor, 10))
            visitor.close()
            self.wait_refused(2, door, "handshake", before, who="why=no-curve")

    def test_strangers_and_keys_of_another_door_come_in_nowhere(self):
        clients = self.key_of(self.fleet[1].storage / "keys/admin.key")
        for door, other in (("mesh", clients), ("control", self.member_key(3))):
            for what, arguments, reason, who in (
                    ("an unknown key", (raw.key_pair(), self.server_key(2, door)), "unknown_key",
                     "from=127."),
                    ("a key of the other door", (other, self.server_key(2, door)), "unknown_key",
                     f"key={other[0]}"),
                    ("another server key", (self.member_key(3), raw.key_pair()[0]), "handshake",
                     "why=wrong-server-key"),
                    ("no key", (), None, ""),
                    ("a password", (None, None, "admin"), None, "")):
                with self.subTest(door=door, what=what):
                    before = self.refused(2)
                    with raw.Raw(self.url(2, door), *arguments) as stranger:
                        one_node.wait_until(stranger.has_ended, 30, "it is cut")
                        self.assertFalse(stranger.is_open())
                        if reason:  # who has no CURVE may leave before he is cut
                            self.wait_refused(2, door, reason, before, who=who)

    def test_bytes_that_are_no_handshake_are_cut(self):
        for door, port in DOORS.items():
            for what, data in (("ZMTP 1", raw.ZMTP1 + bytes(100)), ("ZMTP 2", raw.ZMTP2 + bytes(100)),
                               ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
                               ("random", b"\x00" + secrets.token_bytes(4000)),
                               ("no mechanism", raw.ZMTP3_NULL), ("PLAIN", raw.ZMTP3_PLAIN),
                               ("a handshake that is none", raw.ZMTP3 + b"\x04\xff" + bytes(300)),
                               ("an endless command", raw.ZMTP3 + b"\x06\x7f" + b"\xff" * 7)):
                with self.subTest(door=door, what=what):
                    before = self.refused(2)
                    visitor = raw.dial(self.fleet[2].address, port)
                    self.assertTrue(visitor.recv(10))  # the agent's greeting
                    visitor.sendall(data)
                    self.assertTrue(raw.is_cut(visitor, 10))
                    visitor.close()
                    self.wait_refused(2, door, "handshake", before, who="from=")

    def test_half_open_handshakes_by_the_hundred_hold_up_nothing(self):
        before = self.refused(2)
        visitors = [raw.dial(self.fleet[2].address, port, data)
                    for port in DOORS.values() for data in (b"", raw.ZMTP3)
                    for _ in range(HALF_OPEN // 2)]
        began = time.time()
        self.assertEqual(self.fleet[2].ctl("whoami").returncode, 0)
        self.job.wait_for_more(2)
        late = [at - slot for slot, at in self.job.starts() if slot > began]
        print(f"{4 * HALF_OPEN // 2} half-open handshakes: starts at most {max(late):.2f} s late",
              flush=True)
        self.assertLess(max(late), 2)
        for visitor in visitors:
            self.assertTrue(raw.is_cut(visitor, 15))
            visitor.close()
        for door in DOORS:
            self.wait_refused(2, door, "handshake", before, HALF_OPEN, "why=too-slow")

    def test_ten_thousand_knocks_are_counted_and_fill_no_disk(self):
        before = self.refused(2)
        size = self.fleet[2].log_path.stat().st_size
        for number in range(KNOCKS):
            port = (MESH_PORT, CONTROL_PORT)[number % 2]
            raw.dial(self.fleet[2].address, port, b"GET / HTTP/1.1\r\n\r\n").close()
        for door in DOORS:
            self.wait_refused(2, door, "handshake", before, KNOCKS // 2)
        grown = self.fleet[2].log_path.stat().st_size - size
        print(f"{KNOCKS} knocks: {grown} bytes of log", flush=True)
        self.assertLess(grown, 20_000)

    def test_a_member_that_speaks_for_others_or_of_another_time_is_not_heard(self):
        term = self.fleet[1].status()["term"]
        junk = b"\x01" + b"\xff" * 20
        claim = self.claim(term)
        leader = raw.append_message
        cases = (
            ("another sender", "forged_sender", (raw.RAFT, junk, {"sender": 1})),
            ("another sender inside", "forged_sender",
             (raw.RAFT, leader(1, 2, self.cluster, term, [claim]), {})),
            ("another cluster", "other_cluster", (raw.RAFT, junk, {"cluster": 1})),
            ("another cluster inside", "other_cluster",
             (raw.RAFT, leader(3, 2, 1, term, [claim]), {})),
            ("an earlier incarnation", "old_incarnation",
             (raw.RAFT, junk, {"incarnation": self.identity["incarnation"] - 1})),
            ("an earlier incarnation inside", "old_incarnation",
             (raw.RAFT, leader(3, 2, self.cluster, term, [claim], incarnation=0), {})),
            ("a term that is over", "old_term",
             (raw.RAFT, leader(3, 2, self.cluster, term - 1, [claim]), {})),
            ("a term that never was", "malformed",
             (raw.RAFT, leader(3, 2, self.cluster, 0, [claim]), {})),
            ("a dispatch of who is not the scheduler", "second_leader",
             (raw.RAFT, leader(3, 2, self.cluster, term, [claim]), {})),
            ("another version", "other_version", (raw.RAFT, junk, {"change": {3: 2}})),
            ("consensus that cannot be read", "malformed", (raw.RAFT, junk, {})),
            ("an array of 2^32 members", "malformed",
             (raw.REQUEST, b"\x01\xdd\xff\xff\xff\xff", {})),
            ("a map of 2^32 members", "malformed", (raw.REPLY, b"\x01\xdf\xff\xff\xff\xff", {})),
            ("a text longer than the message", "malformed",
             (raw.REQUEST, b"\x01\xdb\xff\xff\xff\xff", {})),
            ("arrays within arrays", "malformed",
             (raw.REQUEST, b"\x01" + b"\x91" * 900_000, {})),
            ("part 7 of 3", "malformed", (raw.RAFT, junk, {"change": {5: 7, 6: 3}})),
            ("a kind that there is none of", "malformed", (99, junk, {})),
            ("a join request of a member", "malformed", (raw.JOIN, junk, {})))
        with self.as_member(2) as bad:
            bad.wait_open()
            for what, reason, data in cases:
                with self.subTest(what=what):
                    before = self.refused(2)
                    self.send_until_refused(bad, data, 2, reason, before)
            self.assertFalse(bad.has_ended())
            before = self.refused(2)
            bad.send(b"two", self.frame(raw.RAFT, junk))
            self.wait_refused(2, "mesh", "malformed", before)
        self.assertEqual(self.fleet[2].status()["term"], term)

    def send_until_refused(self, bad, what, number, reason, before, who="node=3"):
        """Sends it, and the same bytes again, until it is counted: what the real n3 says in between
        makes it one of an earlier life."""
        kind, body, more = what

        def send_again():
            change = more.get("change", {})
            data = bytearray(self.frame(kind, body, **{key: value for key, value in more.items()
                                                       if key != "change"}))
            for place, byte in change.items():
                data[place] = byte
            for _ in range(3):
                bad.send(bytes(data))
            try:
                self.wait_refused(number, "mesh", reason, before, 3, who, 2)
                return True
            except AssertionError:
                return False

        one_node.wait_until(send_again, 20, f"n{number} counts {reason} of {who}")

    def claim(self, term):
        """An entry of the log that gives n2 a run of `evil`, now."""
        uid = json.loads(self.fleet[1].ctl("show", "evil", "-o", "json").stdout)["uid"]
        now = time.time_ns() // 1000
        decision = {"job_uid": int(uid, 16), "job_version": 1, "scheduled_at": now, "attempt": 1,
                    "node_id": 2, "start_at": now}
        return raw.message(at=now, actor="scheduler",
                           command=[DECIDE, {"term": term, "decisions": [decision]}])

    def test_messages_that_are_too_large_or_of_many_parts_cut_their_sender(self):
        doors = {"mesh": (self.member_key(3), "node=3", 1 << 20),
                 "control": (self.key_of(self.fleet[1].storage / "keys/operator.key"), "key=",
                             4 << 20)}
        for door, (key, who, limit) in doors.items():
            with self.subTest(door=door):
                before = self.refused(2)
                with raw.Raw(self.url(2, door), key, self.server_key(2, door)) as bad:
                    bad.wait_open().send(*[b"part"] * 20_000)
                    one_node.wait_until(bad.has_ended, 30, "it is cut")
                    self.wait_refused(2, door, "too_many_parts", before, who=who)
                with raw.Raw(self.url(2, door), key, self.server_key(2, door)) as bad:
                    bad.wait_open().send(bytes(limit + 1))
                    one_node.wait_until(bad.has_ended, 30, "it is cut")
                    self.wait_refused(2, door, "too_large", before, who=who)
                with raw.Raw(self.url(2, door), key, self.server_key(2, door)) as bad:
                    bad.wait_open().send(bytes(4 * limit + 1))
                    one_node.wait_until(bad.has_ended, 30, "it is cut")

    def test_a_member_can_propose_nothing_but_what_is_its_own(self):
        term = self.fleet[1].status()["term"]
        now = time.time_ns() // 1000
        report = raw.message(at=now, actor="host:n2",
                             command=[HOST_REPORTS, {"node_id": 2, "reports": [{"run_id": 1}]}])
        with self.as_member(1) as bad:
            bad.wait_open()
            for what, entry, reason in (
                    ("a dispatch", self.claim(term), "forbidden"),
                    ("the report of another host", report, "forbidden"),
                    ("what nobody can read", b"\x01\xdf\xff\xff\xff\xff", "malformed")):
                with self.subTest(what=what):
                    before = self.refused(1)
                    self.send_until_refused(
                        bad, (raw.REQUEST, raw.message(ask=PROPOSE, bytes=entry), {}), 1, reason,
                        before, "node=3 what=propose-")
        # It would have stopped each of them.
        self.assertIsNone(self.fleet[3].agent.poll())

    def test_a_client_whose_key_is_taken_away_is_refused_in_its_open_session(self):
        key = raw.key_pair()
        request = raw.message(op=WHOAMI, id=7, body=raw.message())
        self.fleet[1].ctl("key", "add", "temp", key[0], "--role", "viewer")
        one_node.wait_until(
            lambda: "temp" in self.fleet[2].ctl("key", "list", "--stale", "-o", "name").stdout, 30,
            "n2 knows the key")
        with raw.Raw(self.url(2, "control"), key, self.server_key(2, "control")) as client:
            client.send(request)
            self.assertIn(b"temp", client.receive())
            before = self.refused(2)
            client.send(b"\x01\xdd\xff\xff\xff\xff")
            self.assertNotIn(b"temp", client.receive())
            self.wait_refused(2, "control", "malformed", before, who=key[0])
            client.send(raw.message(op=4, id=8, body=raw.message()))  # job.put
            self.assertIn(b"needs", client.receive())
            self.wait_refused(2, "control", "forbidden", before, who="operation=job.put")
            self.fleet[1].ctl("key", "rm", "temp", "--yes")

            def is_refused():
                client.send(request)
                return b"not known" in client.receive()

            one_node.wait_until(is_refused, 30, "n2 knows that the key is gone")
            self.wait_refused(2, "control", "removed_key", before, who=key[0])

    def test_who_is_removed_is_cut_off_within_five_seconds_and_comes_in_no_more(self):
        key = self.member_key(3)
        before = {number: self.refused(number) for number in (1, 2)}
        with self.as_member(1) as to_first, self.as_member(2) as to_second:
            for one in (to_first, to_second):
                one.wait_open().send(self.frame(raw.PING, bytes(8)))
            self.fleet[1].ctl("node", "remove", "n3", "--force", "--yes")
            began = time.monotonic()
            for one in (to_first, to_second):
                one_node.wait_until(one.has_ended, 5, "the session is closed")
            print(f"cut off {time.monotonic() - began:.2f} s after the removal", flush=True)
            for number in (1, 2):
                self.wait_refused(number, "mesh", "unknown_key", before[number],
                                  who=f"key={key[0]}")
        self.assertEqual([node["name"] for node in self.fleet[1].status()["nodes"]], ["n1", "n2"])


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main(verbosity=2)
