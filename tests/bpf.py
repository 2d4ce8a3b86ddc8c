#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Attaches small BPF programs, by bpf(2) alone and with the BTF of vmlinux.

Reads commands from standard input and answers each with lines that end in 'done':

  attach KIND FUNCTION...   attaches a program that counts its runs; KIND is fentry, fexit or fsession.
                            A line for each function: 'KIND FUNCTION attached' or 'KIND FUNCTION ERROR'
  runs                      a line for each attached program: 'KIND FUNCTION RUNS'
  detach                    detaches all

With the argument 'ksym' it prints instead what BPF's iterator of kernel symbols yields for modules, in the
format of /proc/kallsyms, and reads BYTES (the second argument) at a time.
"""

import ctypes
import errno
import mmap
import os
import struct
import sys

SYS_BPF = 321  # of x86-64
MAP_CREATE, PROG_LOAD, LINK_CREATE, ITER_CREATE = 0, 5, 28, 33
MAP_TYPE_ARRAY, F_MMAPABLE = 2, 1 << 10
PROG_TYPE_TRACING = 26
# enum bpf_attach_type
TRACE_FENTRY, TRACE_FEXIT, TRACE_ITER, TRACE_FSESSION = 24, 25, 28, 58
KINDS = {"fentry": TRACE_FENTRY, "fexit": TRACE_FEXIT, "fsession": TRACE_FSESSION}
SEQ_PRINTF = 126
BTF_STRUCT, BTF_FUNC = 4, 12

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    """Calls bpf(2) with the bytes of a union bpf_attr."""
    buffer = ctypes.create_string_buffer(attr, max(len(attr), 160))
    ret = libc.syscall(SYS_BPF, command, buffer, len(buffer))
    if ret < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return ret


class Btf:
    """Numbers of functions, and offsets in structures, of vmlinux."""

    # Bytes behind struct btf_type, by kind: (each, of each member).
    SIZES = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0),
             15: (0, 12), 17: (4, 0), 19: (0, 12)}

    def __init__(self):
        with open("/sys/kernel/btf/vmlinux", "rb") as file:
            self.data = file.read()
        length, types, types_len, strings = struct.unpack_from("<IIII", self.data, 4)[:4]
        self.first, self.end = length + types, length + types + types_len
        self.strings = length + strings

    def name_offset(self, name):
        at = self.data.index(b"\0" + name.encode() + b"\0", self.strings)
        return at + 1 - self.strings

    def find(self, kind, names):
        """Returns the number and the place of each name that is of this kind."""
        wanted = {self.name_offset(name): name for name in names}
        found = {}
        number, at, data, sizes = 1, self.first, self.data, self.SIZES
        unpack = struct.Struct("<II").unpack_from
        while at < self.end and len(found) < len(wanted):
            name, info = unpack(data, at)
            this = info >> 24 & 31
            if this == kind and name in wanted:
                found[wanted[name]] = number, at
            each, member = sizes.get(this, (0, 0))
            at += 12 + each + member * (info & 0xFFFF)
            number += 1
        return found

    def offsets(self, name):
        """Returns the offset in bytes of each member of a structure."""
        at = self.find(BTF_STRUCT, [name])[name][1]
        count = struct.unpack_from("<I", self.data, at + 4)[0] & 0xFFFF
        offsets = {}
        for i in range(count):
            member, _, bits = struct.unpack_from("<III", self.data, at + 12 + 12 * i)
            start = self.strings + member
            offsets[self.data[start:self.data.index(b"\0", start)].decode()] = (bits & 0xFFFFFF) // 8
        return offsets


def insn(code, dst=0, src=0, off=0, imm=0):
    return struct.pack("<BBhi", code, src << 4 | dst, off, imm)


def load(program, kind, function):
    """Loads a tracing program for the kernel's function of that number."""
    code = ctypes.create_string_buffer(program, len(program))
    licence = ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(65536)
    attr = struct.pack("<IIQQIIQII16sIIIIQIIQII", PROG_TYPE_TRACING, len(program) // 8,
                       ctypes.addressof(code), ctypes.addressof(licence), 1, len(log),
                       ctypes.addressof(log), 0, 0, b"", 0, kind, 0, 0, 0, 0, 0, 0, 0, function)
    try:
        return bpf(PROG_LOAD, attr)
    except OSError:
        print(log.value.decode(), file=sys.stderr)
        raise


def link(prog, kind):
    return bpf(LINK_CREATE, struct.pack("<IIII", prog, 0, kind, 0))


class Counter:
    """A program that adds 1 to a number at each run, and returns 0."""

    def __init__(self, kind, function):
        size = mmap.PAGESIZE
        self.map = bpf(MAP_CREATE, struct.pack("<IIIII", MAP_TYPE_ARRAY, 4, 8, 1, F_MMAPABLE))
        self.number = mmap.mmap(self.map, size)
        program = (
            insn(0x18, dst=1, src=2, imm=self.map) + insn(0)    # r1 = the address of the number
            + insn(0xB7, dst=2, imm=1)                          # r2 = 1
            + insn(0xDB, dst=1, src=2)                          # lock *(u64 *)r1 += r2
            + insn(0xB7, imm=0) + insn(0x95))                   # return 0
        self.fds = [self.map]
        try:
            self.fds.append(load(program, kind, function))
            self.fds.append(link(self.fds[-1], kind))
        except OSError:
            self.close()
            raise

    def runs(self):
        return struct.unpack_from("<Q", self.number)[0]

    def close(self):
        for fd in reversed(self.fds):
            os.close(fd)
        self.number.close()


def serve():
    btf, numbers, counters = Btf(), {}, {}
    for line in sys.stdin:
        command, *words = line.split()
        if command == "attach":
            kind, names = words[0], words[1:]
            new = [name for name in names if name not in numbers]
            if new:
                numbers.update(btf.find(BTF_FUNC, new))
            for name in names:
                try:
                    counters[kind, name] = Counter(KINDS[kind], numbers[name][0])
                    print(kind, name, "attached")
                except OSError as e:
                    print(kind, name, errno.errorcode[e.errno])
        elif command == "runs":
            for (kind, name), counter in counters.items():
                print(kind, name, counter.runs())
        elif command == "detach":
            for counter in counters.values():
                counter.close()
            counters.clear()
        print("done", flush=True)


def iterate(size):
    """Prints the modules' symbols; reads so many bytes at a time."""
    btf = Btf()
    at = btf.offsets("kallsym_iter")
    number = btf.find(BTF_FUNC, ["bpf_iter_ksym"])["bpf_iter_ksym"][0]
    # Four arguments of 8 bytes in front of the format.
    text = b"%016llx %c %s\t[%s]\n\0"
    text += b"\0" * (-len(text) % 8)
    data, stack = -32, -32 - len(text)
    body = (
        insn(0x71, dst=3, src=7, off=at["module_name"])     # r3 = ksym->module_name[0]
        + insn(0x15, dst=3, off=0, imm=0)                   # none: return 0, as below
        + insn(0x79, dst=3, src=7, off=at["value"]) + insn(0x7B, dst=10, src=3, off=data)
        + insn(0x71, dst=3, src=7, off=at["type"]) + insn(0x7B, dst=10, src=3, off=data + 8))
    for i, name in enumerate(["name", "module_name"]):
        body += (insn(0xBF, dst=3, src=7) + insn(0x07, dst=3, imm=at[name])
                 + insn(0x7B, dst=10, src=3, off=data + 16 + 8 * i))
    for i in range(0, len(text), 8):
        low, high = struct.unpack_from("<ii", text, i)
        body += insn(0x18, dst=3, imm=low) + insn(0, imm=high) + insn(0x7B, dst=10, src=3, off=stack + i)
    body += (
        insn(0x79, dst=1, src=6)                                    # r1 = ctx->meta
        + insn(0x79, dst=1, src=1)                                  # r1 = meta->seq
        + insn(0xBF, dst=2, src=10) + insn(0x07, dst=2, imm=stack)
        + insn(0xB7, dst=3, imm=len(text))
        + insn(0xBF, dst=4, src=10) + insn(0x07, dst=4, imm=data)
        + insn(0xB7, dst=5, imm=32)
        + insn(0x85, imm=SEQ_PRINTF))
    insns = len(body) // 8
    body = body[:8] + insn(0x15, dst=3, off=insns - 2) + body[16:]
    program = (
        insn(0xBF, dst=6, src=1)                            # r6 = ctx
        + insn(0x79, dst=7, src=6, off=8)                   # r7 = ctx->ksym
        + insn(0x15, dst=7, off=insns)                      # null: return 0
        + body + insn(0xB7, imm=0) + insn(0x95))
    prog = load(program, TRACE_ITER, number)
    fd = bpf(ITER_CREATE, struct.pack("<II", link(prog, TRACE_ITER), 0))
    while True:
        try:
            part = os.read(fd, size)
        except BlockingIOError:
            continue
        if not part:
            break
        sys.stdout.buffer.write(part)


if len(sys.argv) == 3 and sys.argv[1] == "ksym":
    iterate(int(sys.argv[2]))
else:
    serve()
