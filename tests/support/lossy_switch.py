#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A switch between network interfaces that loses, delays and doubles frames as it is told.

Reads lines of JSON: {"port": NAME, "number": N} plugs an interface in whose other end has a
hardware address that ends in N; {"loss", "delay", "jitter", "double"} says what happens to each
frame from then on. Ends with its input. `--plain NAME` makes an interface send whole frames with
checksums, which a switch outside of the kernel needs.
"""

import array
import fcntl
import heapq
import itertools
import json
import os
import random
import select
import socket
import struct
import sys
import time

SIOCETHTOOL = 0x8946
OFFLOADS = (0x15, 0x17, 0x1f, 0x24, 0x2c)  # receive and send checksums, TSO, GSO, GRO
ETH_P_ALL = 3
FRAME_MAX = 65536
FRAMES_PER_TURN = 64


def make_plain(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some:
        for command in OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP", name.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(some.fileno(), SIOCETHTOOL, request)
            except OSError:
                continue  # an interface without it has nothing to switch off


class Switch:
    def __init__(self):
        self.ports = {}
        self.shape = {"loss": 0.0, "delay": 0.0, "jitter": 0.0, "double": 0.0}
        self.waiting = []
        self.order = itertools.count()
        self.random = random.Random()

    def obey(self, words):
        if "port" in words:
            port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            port.bind((words["port"], ETH_P_ALL))
            port.setblocking(False)
            self.ports[words["number"]] = port
        else:
            self.shape |= words

    def take(self, port):
        for _ in range(FRAMES_PER_TURN):
            try:
                frame, origin = port.recvfrom(FRAME_MAX)
            except OSError:
                return  # nothing more, or the cable is out
            if origin[2] != socket.PACKET_OUTGOING:
                self.send_on(port, frame)

    def send_on(self, port, frame):
        is_for_all = frame[0] & 1
        for number, other in self.ports.items():
            if other is port or not (is_for_all or frame[5] == number):
                continue
            times = 1 + (self.random.random() < self.shape["double"])
            for _ in range(times):
                if self.random.random() < self.shape["loss"]:
                    continue
                wait = self.shape["delay"] + self.random.uniform(-1, 1) * self.shape["jitter"]
                at = time.monotonic() + max(wait, 0.0)
                heapq.heappush(self.waiting, (at, next(self.order), other, frame))

    def deliver(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, port, frame = heapq.heappop(self.waiting)
            try:
                port.send(frame)
            except OSError:
                continue  # the cable is out

    def run(self):
        commands = sys.stdin.fileno()
        text = b""
        while True:
            wait = max(self.waiting[0][0] - time.monotonic(), 0.0) if self.waiting else None
            ready, _, _ = select.select([commands, *self.ports.values()], [], [], wait)
            for one in ready:
                if one is not commands:
                    self.take(one)
                    continue
                more = os.read(commands, FRAME_MAX)
                if not more:
                    return
                *lines, text = (text + more).split(b"\n")
                for line in lines:
                    self.obey(json.loads(line))
            self.deliver()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--plain"]:
        make_plain(sys.argv[2])
    else:
        Switch().run()
