# SPDX-License-Identifier: Apache-2.0
"""Several agents that form one cluster, each with its own folder, on addresses of 127.0.0.0/8."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import tempfile

import one_node

SIZE_MAX = 60  # 127.0.0.2 and on


class Member(one_node.OneNode):
    """One agent of a fleet: node I listens on 127.NET.0.(I+1)."""

    def __init__(self, folder, number, net=0, sets=(), token=None, own_key=False, **more):
        self.number = number
        self.name = f"n{number}"
        self.address = f"127.{net}.0.{number + 1}"
        own = [f"node.name={self.name}", f"mesh.listen=tcp://{self.address}:8471"]
        if token:
            own.append(f"mesh.join_token_file={token}")
        super().__init__(sets=[*own, *sets], storage=folder / self.name, **more)
        # One file serves against every agent: that of the member that made the cluster.
        if not own_key:
            self.environment["DISTCRON_KEY"] = str(folder / "n1/keys/admin.key")

    def status(self):
        """cluster status, as this member has it; {} while it does not answer."""
        done = self.ctl("cluster", "status", "-o", "json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def scheduler(self):
        return self.status().get("scheduler", {}).get("id")

    def is_running(self):
        return self.agent is not None and self.agent.poll() is None


def claim_net():
    """A number N for addresses 127.N.0.x that no other fleet of this machine has, and the socket
    that keeps it."""
    for step in range(200):
        net = 20 + (os.getpid() + step) % 200
        claim = socket.socket()
        try:
            claim.bind((f"127.{net}.0.1", 8470))
        except OSError:
            claim.close()
            continue
        return net, claim
    raise RuntimeError("200 fleets run on this machine")


class Fleet:
    """`with Fleet(3) as fleet:` members 1 to 3, of which 1 made the cluster and the rest joined."""

    def __init__(self, size, sets=(), **more):
        self.size = size
        self.net, self.claim = claim_net()
        self.sets = list(sets)
        self.more = more
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distcron-fleet."))
        self.folder.chmod(0o755)
        self.token = self.folder / "token"
        self.members = {}
        self.dropped = []

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit(143)))
        try:
            first = self.add(1)
            if self.size > 1:
                self.make_token(first)
            for number in range(2, self.size + 1):
                self.add(number)
            if self.size > 1:
                self.wait_for_members(self.size)
        except BaseException:
            self.end(failed=True)
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.end(failed=kind is not None)

    def end(self, failed):
        everyone = [*self.members.values(), *self.dropped]
        for member in everyone:
            if member.is_running():
                member.kill()
            # Executors and what they run belong to this test alone.
            own = one_node.processes([f"{member.storage}/"])
            for pid in [*one_node.descendants(own), *own]:
                with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                    os.kill(pid, signal.SIGKILL)
            member.log.close()
            if not failed:
                shutil.rmtree(member.folder, ignore_errors=True)
        self.claim.close()
        if failed:
            for member in everyone:
                print(f"left for inspection: {member.log_path} {member.storage}")
        else:
            shutil.rmtree(self.folder)

    def __getitem__(self, number):
        return self.members[number]

    def make_token(self, member, *arguments):
        uses = [] if "--uses" in arguments else ["--uses", SIZE_MAX]
        self.token.write_text(member.ctl("node", "join-token", *uses, *arguments, "-o",
                                         "name").stdout)

    def add(self, number, sets=(), own_key=False):
        """A new member; it joins when there is a token."""
        token = self.token if self.token.exists() else None
        member = Member(self.folder, number, self.net, [*self.sets, *sets], token, own_key,
                        **self.more)
        self.members[number] = member
        member.start()
        return member

    def make_only_voter(self, number):
        """All others stand by."""
        for other in self.members:
            if other != number:
                self[number].ctl("node", "set", f"n{other}", "role=standby")

        def is_alone():
            nodes = self[number].status()["nodes"]
            return [node["name"] for node in nodes if node["role"] == "voter"] == [f"n{number}"]

        one_node.wait_until(is_alone, 30, f"n{number} alone votes")

    def drop(self, number):
        """No member any more; its agent and folder go with the fleet."""
        member = self.members.pop(number)
        self.dropped.append(member)
        return member

    def alive(self):
        return [member for member in self.members.values() if member.is_running()]

    def wait_for_members(self, count, seconds=60):
        """All members see `count` live ones with as many voters as there should be."""
        voters = {1: 1, 2: 2, 3: 3, 4: 3, 5: 5, 6: 5}.get(count, 5)

        def is_formed():
            for member in self.alive():
                nodes = member.status().get("nodes", [])
                alive = [node for node in nodes if node["state"] == "alive"]
                if len(alive) < count or \
                        sum(node["role"] == "voter" for node in nodes) != voters:
                    return False
            return True

        one_node.wait_until(is_formed, seconds, f"a cluster of {count}")

    def wait_for_scheduler(self, number, seconds=60):
        """All live members name it."""
        one_node.wait_until(
            lambda: all(member.scheduler() == number for member in self.alive()), seconds,
            f"node {number} is the scheduler")

    def some_scheduler(self, seconds=30):
        """The member that all live members name, once they do."""

        def agreed():
            named = {member.scheduler() for member in self.alive()}
            number = named.pop() if len(named) == 1 else None
            return number if number and self.members[number].is_running() else None

        return self.members[one_node.wait_until(agreed, seconds, "the members agree")]
