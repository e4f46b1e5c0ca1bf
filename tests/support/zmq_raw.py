# SPDX-License-Identifier: Apache-2.0
"""What no agent would send: ZeroMQ by libzmq itself (which the programs use, so it is there) without
a Python package, raw bytes on TCP, and the messages between agents, docs/format/mesh.md."""

import ctypes
import ctypes.util
import re
import socket
import struct

import one_node

DEALER, PAIR = 5, 0
LINGER, SNDTIMEO, RCVTIMEO, IPV6 = 17, 28, 27, 42
PLAIN_USERNAME, PLAIN_PASSWORD = 45, 46
CURVE_PUBLICKEY, CURVE_SECRETKEY, CURVE_SERVERKEY = 48, 49, 50
SNDMORE, DONTWAIT = 2, 1
EVENT_ALL = 0xFFFF
EVENT_DISCONNECTED, EVENT_HANDSHAKE_SUCCEEDED = 0x0200, 0x1000

# The first bytes of a connection. ZMTP 3.1 with CURVE as a client, and what older or other ones say.
ZMTP3 = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + b"\0" + bytes(31)
ZMTP3_NULL = ZMTP3.replace(b"CURVE", b"NULL\0")
ZMTP3_PLAIN = ZMTP3.replace(b"CURVE", b"PLAIN")
ZMTP1 = b"\x01\x00"
ZMTP2 = b"\xff" + bytes(7) + b"\x01\x7f\x01\x05\x00\x00"

RAFT, REQUEST, REPLY, CHUNK, JOIN, _, PING = 1, 2, 3, 4, 5, 6, 7


def library():
    lib = ctypes.CDLL(ctypes.util.find_library("zmq") or "libzmq.so.5", use_errno=True)
    for name in ("zmq_ctx_new", "zmq_socket"):
        getattr(lib, name).restype = ctypes.c_void_p
    return lib


LIB = library()


def check(result):
    if result is None or result == -1:
        raise OSError(ctypes.get_errno(), "libzmq")
    return result


class Raw:
    """A DEALER that obeys no rule."""

    def __init__(self, address, key=None, server_key=None, plain=None):
        """key: (public, secret)."""
        self.context = ctypes.c_void_p(check(LIB.zmq_ctx_new()))
        self.socket = ctypes.c_void_p(check(LIB.zmq_socket(self.context, DEALER)))
        self.watch = ctypes.c_void_p(check(LIB.zmq_socket(self.context, PAIR)))
        for option, value in ((LINGER, 0), (SNDTIMEO, 5000), (RCVTIMEO, 5000)):
            self.set(option, value)
        if key:
            self.set(CURVE_PUBLICKEY, key[0])
            self.set(CURVE_SECRETKEY, key[1])
            self.set(CURVE_SERVERKEY, server_key)
        if plain:
            self.set(PLAIN_USERNAME, plain)
            self.set(PLAIN_PASSWORD, plain)
        check(LIB.zmq_socket_monitor(self.socket, b"inproc://watch", EVENT_ALL))
        check(LIB.zmq_connect(self.watch, b"inproc://watch"))
        check(LIB.zmq_connect(self.socket, address.encode()))
        self.events = 0  # all that have come, as bits

    def __enter__(self):
        return self

    def __exit__(self, *_):
        LIB.zmq_socket_monitor(self.socket, None, 0)
        for one in (self.watch, self.socket):
            LIB.zmq_setsockopt(one, LINGER, struct.pack("i", 0), 4)
            LIB.zmq_close(one)
        LIB.zmq_ctx_term(self.context)

    def set(self, option, value):
        data = value.encode() if isinstance(value, str) else struct.pack("i", value)
        check(LIB.zmq_setsockopt(self.socket, option, data, len(data)))

    def send(self, *parts):
        for number, part in enumerate(parts):
            more = SNDMORE if number + 1 < len(parts) else 0
            check(LIB.zmq_send(self.socket, part, len(part), more))

    def receive(self):
        """One part, None when none comes in time."""
        buffer = ctypes.create_string_buffer(1 << 20)
        size = LIB.zmq_recv(self.socket, buffer, len(buffer), 0)
        return buffer.raw[:size] if size >= 0 else None

    def has_seen(self, event):
        buffer = ctypes.create_string_buffer(256)
        while (size := LIB.zmq_recv(self.watch, buffer, len(buffer), DONTWAIT)) >= 0:
            if size == 6:  # the other part is an address
                self.events |= struct.unpack("<H", buffer.raw[:2])[0]
        return bool(self.events & event)

    def is_open(self):
        return self.has_seen(EVENT_HANDSHAKE_SUCCEEDED)

    def has_ended(self):
        return self.has_seen(EVENT_DISCONNECTED)

    def wait_open(self):
        one_node.wait_until(self.is_open, 30, "the connection is open")
        return self


def key_pair():
    public, secret = ctypes.create_string_buffer(41), ctypes.create_string_buffer(41)
    check(LIB.zmq_curve_keypair(public, secret))
    return public.value.decode(), secret.value.decode()


def read_key(path):
    """{name, public_key, secret_key, server_key} of a key file."""
    return dict(re.findall(r"^(\w+) = '([^']*)'$", path.read_text(), re.M))


def dial(host, port, data=b""):
    """A plain TCP connection that has said `data`."""
    visitor = socket.create_connection((host, port), timeout=10)
    if data:
        visitor.sendall(data)
    return visitor


def is_cut(visitor, seconds):
    """The other side ends the connection within so long."""
    visitor.settimeout(seconds)
    try:
        while visitor.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


# --- messages between agents ---------------------------------------------------------------------


def stable_hash(text):
    """lib/base/hash.h"""
    mask = (1 << 64) - 1
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 & mask
    value = value + 0x9e3779b97f4a7c15 & mask
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9 & mask
    value = (value ^ value >> 27) * 0x94d049bb133111eb & mask
    return value ^ value >> 31


def frame(kind, cluster, sender, body, boot=0x5ec, seq=1, incarnation=1, identity=0):
    return struct.pack("<3sBBBBBQqQQqQ", b"DCM", 1, kind, 0, 1, 0, cluster, sender, boot, seq,
                       incarnation, identity) + body


def leb(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def append_message(sender, to, cluster, term, entries, prev=(0, 0), incarnation=1):
    """A leader's message with `entries`, all of them committed: lib/consensus/codec.cc."""
    numbers = (sender, to, cluster, incarnation, term, prev[0], prev[1], prev[0] + len(entries), 0,
               0, 0, 1, 1)
    body = b"\x01\x05\x00" + b"".join(leb(number) for number in numbers) + leb(len(entries))
    for entry in entries:
        body += leb(term) + b"\x00" + leb(len(entry)) + entry
    return body + leb(0) * 6


def pack(value):
    """msgpack of what is asked for here."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return struct.pack(">BQ", 0xcf, value)
    if isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        return struct.pack(">BI", 0xdb, len(data)) + data
    if isinstance(value, (list, tuple)):
        return struct.pack(">BI", 0xdd, len(value)) + b"".join(map(pack, value))
    out = struct.pack(">BI", 0xdf, len(value))
    return out + b"".join(pack(key) + pack(member) for key, member in value.items())


def message(**members):
    """A struct of lib/wire."""
    return b"\x01" + pack(members)
