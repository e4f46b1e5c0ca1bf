# SPDX-License-Identifier: Apache-2.0
"""A network of its own for a fleet: one network namespace per member, joined in a hub namespace.

The namespaces live as long as a process in each that waits for our end, so nothing is left even
after a kill -9 of the test. Member I has the address 10.88.0.I. Needs root; skip_unless_possible().

Faults: cut() takes a member off its cable, drop() loses what goes from one member to another and
not what comes back, split() parts the members, heal() ends all. With is_lossy the hub is a small
switch of our own in place of the kernel's bridge, which can lose, delay and double frames: shape().
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import fleet
import one_node

NOBODY = "02:88:00:00:ff:ff"  # no member has this hardware address
PREFIX = 24
SWITCH = pathlib.Path(__file__).resolve().parent / "lossy_switch.py"


def skip_unless_possible():
    """A skipped test where we may not make namespaces, or have not what it takes."""
    if os.geteuid() != 0:
        one_node.skip("namespaces need root")
    for program in ("ip", "nsenter", "unshare"):
        if not shutil.which(program):
            one_node.skip(f"no program {program}")
    if subprocess.run(["unshare", "--net", "true"], check=False).returncode != 0:
        one_node.skip("no network namespaces here")
    probe = Namespace()
    try:
        made = probe.ip("link", "add", "probe", "type", "veth", "peer", "name", "ebory",
                        check=False)
    finally:
        probe.end()
    if made.returncode != 0:
        one_node.skip("no veth interfaces here")


class Namespace:
    """A network namespace that ends with us: a process in it reads from our pipe."""

    def __init__(self):
        ours = os.readlink("/proc/self/ns/net")
        self.holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL)
        one_node.wait_until(lambda: self.link() not in ("", ours), 30, "a namespace is made")
        self.prefix = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]
        self.ip("link", "set", "lo", "up")

    def link(self):
        try:
            return os.readlink(f"/proc/{self.holder.pid}/ns/net")
        except OSError:
            return ""

    def ip(self, *words, check=True):
        done = subprocess.run([*self.prefix, "ip", *map(str, words)], check=False, text=True,
                              capture_output=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")
        return done

    def end(self):
        self.holder.stdin.close()
        self.holder.wait(timeout=30)


def address_of(number):
    return f"10.88.0.{number}"


class Network:
    """The hub and the members' namespaces."""

    def __init__(self, is_lossy=False):
        self.homes = {}
        self.addresses = {}
        self.switch = None
        self.hub = Namespace()
        self.is_lossy = is_lossy
        if not is_lossy:
            self.hub.ip("link", "add", "hub", "type", "bridge")
            self.hub.ip("link", "set", "hub", "up")

    def add(self, number):
        """A namespace for a member, whose cable goes to the hub. Once per number."""
        home = self.homes[number] = Namespace()
        self.addresses[number] = [address_of(number)]
        mac = f"02:88:00:00:00:{number:02x}"
        self.hub.ip("link", "add", f"m{number}", "type", "veth", "peer", "name", "eth0", "address",
                    mac, "netns", home.holder.pid)
        home.ip("addr", "add", f"{address_of(number)}/{PREFIX}", "dev", "eth0")
        home.ip("link", "set", "eth0", "up")
        if self.is_lossy:
            # Checksums and segments are left to the last: our switch is no such.
            subprocess.run([*home.prefix, sys.executable, SWITCH, "--plain", "eth0"], check=True)
        else:
            self.hub.ip("link", "set", f"m{number}", "master", "hub")
        self.hub.ip("link", "set", f"m{number}", "up")
        if self.is_lossy:
            self.plug_in(number)

    def plug_in(self, number):
        if self.switch is None:
            self.switch = subprocess.Popen([*self.hub.prefix, sys.executable, SWITCH],
                                           stdin=subprocess.PIPE, text=True)
        self.tell_switch({"port": f"m{number}", "number": number})

    def tell_switch(self, words):
        self.switch.stdin.write(json.dumps(words) + "\n")
        self.switch.stdin.flush()

    def shape(self, loss=0.0, delay_s=0.0, jitter_s=0.0, double=0.0):
        """What happens to each frame from now on: chances between 0 and 1, seconds one way."""
        self.tell_switch({"loss": loss, "delay": delay_s, "jitter": jitter_s, "double": double})

    def give_address(self, number, address):
        """A further address of a member's interface."""
        self.homes[number].ip("addr", "add", f"{address}/{PREFIX}", "dev", "eth0")
        self.addresses[number].append(address)

    def cut(self, number):
        """Pulls the member's cable: nothing goes in or out, and nobody is told."""
        self.hub.ip("link", "set", f"m{number}", "down")

    def drop(self, sender, receiver):
        """What the one sends to the other is lost on the way; not what the other sends."""
        for address in self.addresses[receiver]:
            self.homes[sender].ip("neigh", "replace", address, "lladdr", NOBODY, "dev", "eth0",
                                  "nud", "permanent")

    def split(self, some):
        """Parts `some` from the rest, both ways."""
        for inside in some:
            for outside in set(self.homes) - set(some):
                self.drop(inside, outside)
                self.drop(outside, inside)

    def heal(self):
        for number, home in self.homes.items():
            self.hub.ip("link", "set", f"m{number}", "up")
            for other in set(self.homes) - {number}:
                for address in self.addresses[other]:
                    # Not there unless it was cut.
                    home.ip("neigh", "del", address, "dev", "eth0", check=False)

    def end(self):
        if self.switch is not None:
            self.switch.stdin.close()
            self.switch.wait(timeout=30)
        for space in [*self.homes.values(), self.hub]:
            space.end()


class NetFleet(fleet.Fleet):
    """A fleet whose members live in the namespaces of a network."""

    def __init__(self, size, sets=(), is_lossy=False, **more):
        super().__init__(size, sets, **more)
        self.network = None
        self.is_lossy = is_lossy

    def __enter__(self):
        self.network = Network(self.is_lossy)
        return super().__enter__()

    def add(self, number, sets=(), own_key=False):
        self.network.add(number)
        token = self.token if self.token.exists() else None
        member = fleet.Member(self.folder, number, sets=[*self.sets, *sets], token=token,
                              own_key=own_key, prefix=self.network.homes[number].prefix,
                              **self.more)
        self.members[number] = member
        self.listen_at(number, address_of(number))
        member.start()
        return member

    def listen_at(self, number, address):
        """Where the member listens from its next start on."""
        member = self.members[number]
        member.address = address
        member.sets = [pair for pair in member.sets if not pair.startswith("mesh.listen=")]
        member.sets.append(f"mesh.listen=tcp://{address}:8471")

    def end(self, failed):
        try:
            super().end(failed)
        finally:
            self.network.end()
