"""A process's system calls, seen one by one, and made to fail: ptrace through ctypes, without a compiler.

The kernel stops the process before and after each call. Before one, the tracer may put another number in its place, so
that nothing is done, or another count of bytes; after it, another result. So whatever library makes a call, in whatever
language, is met. One thread is traced, the one that asked for it. Linux on x86-64 only.
"""

import ctypes
import errno
import os
import platform
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

TRACEME, SYSCALL, DETACH, GETREGS, SETREGS, SETOPTIONS = 0, 24, 17, 12, 13, 0x4200
SYSGOOD, EXITKILL = 1, 0x100000
REGISTERS = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs gs ds es fs_ gs_"
)
AT_FDCWD = -100

BY_HANDLE = {1: "write", 3: "close", 18: "pwrite", 20: "writev", 73: "flock", 74: "fsync", 75: "fdatasync",
             77: "ftruncate", 91: "fchmod"}  # fmt: skip
BY_PATH = {2: ("open", 0), 82: ("rename", 0), 83: ("mkdir", 0), 84: ("rmdir", 0), 87: ("unlink", 0),
           90: ("chmod", 0), 76: ("truncate", 0), 257: ("open", 1), 258: ("mkdir", 1), 263: ("unlink", 1),
           264: ("rename", 1), 316: ("rename", 1), 268: ("chmod", 1)}  # fmt: skip


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in REGISTERS.split()]


class Call(NamedTuple):
    """A system call on a file of the folder."""

    name: str
    file: str  # the name in the folder; "" is the folder


class Fault(NamedTuple):
    """What is to happen at a call: its error, "short", "before" (killed, and it is not made) or "after"."""

    at: int  # number of the call
    what: str


libc = ctypes.CDLL(None, use_errno=True)


def why_not() -> str | None:
    """Why nothing can be traced here, or None."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "system calls are traced on Linux on x86-64 only"
    process = os.fork()
    if not process:
        os._exit(int(libc.ptrace(TRACEME, 0, None, None) != 0))
    return "this system forbids ptrace" if os.waitpid(process, 0)[1] else None


def be_traced() -> None:
    """In the process to be traced: stop and wait for the tracer."""
    if libc.ptrace(TRACEME, 0, None, None):
        raise OSError(ctypes.get_errno(), "ptrace")
    os.kill(os.getpid(), signal.SIGSTOP)


def trace(process: int, folder: Path, fault: Fault | None = None) -> tuple[int, list[Call]]:
    """Let a process run to its end under trace; its exit status (minus a signal's number), and its calls on a folder.

    After the fault it runs on unseen.

    Args:
        process: has asked to be traced, or will.
        folder: its own path and everything in it count.
        fault: what to do to one of the calls.
    """
    calls: list[Call] = []
    inside, then, done = False, None, False  # within a call; what to do after it
    _, status = os.waitpid(process, os.WUNTRACED)
    ptrace(SETOPTIONS, process, data=SYSGOOD | EXITKILL)
    while os.WIFSTOPPED(status):
        pass_on = os.WSTOPSIG(status)
        if pass_on == signal.SIGTRAP | 0x80:
            pass_on, inside = 0, not inside
            registers = Registers()
            ptrace(GETREGS, process, data=ctypes.byref(registers))
            if inside:
                call = name_of(process, registers, folder)
                if call is not None:
                    if fault is not None and fault.at == len(calls):
                        then = begin(process, registers, call, fault.what)
                    calls.append(call)
            elif then is not None:
                then()
                done = True
        elif pass_on == signal.SIGSTOP:
            pass_on = 0
        if libc.ptrace(DETACH if done else SYSCALL, process, None, pass_on) and ctypes.get_errno() != errno.ESRCH:
            raise OSError(ctypes.get_errno(), "ptrace")
        _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), calls


def begin(process: int, registers: Registers, call: Call, what: str) -> Callable[[], None] | None:
    """Do to a call that is about to be made what is to be done; and what is to be done after it."""

    def end(code: int) -> None:
        ptrace(GETREGS, process, data=ctypes.byref(registers))
        registers.rax = -code & (2**64 - 1)
        ptrace(SETREGS, process, data=ctypes.byref(registers))

    if what == "after":
        return lambda: os.kill(process, signal.SIGKILL)
    if what == "short":
        registers.rdx //= 2
    elif not (what != "before" and call.name == "close"):  # the system closes a file whatever it says of it
        registers.orig_rax = 2**64 - 1  # no call has this number: nothing is done
    ptrace(SETREGS, process, data=ctypes.byref(registers))
    if what == "before":
        os.kill(process, signal.SIGKILL)
    code = getattr(errno, what, None)
    return (lambda: None) if code is None else lambda: end(code)


def name_of(process: int, registers: Registers, folder: Path) -> Call | None:
    """The call that is about to be made, if it is on the folder or a file in it."""
    number = registers.orig_rax
    try:
        if number in BY_HANDLE:
            name, path = BY_HANDLE[number], os.readlink(f"/proc/{process}/fd/{registers.rdi}")
        elif number in BY_PATH:
            name, first = BY_PATH[number]
            path = text_at(process, registers.rsi if first else registers.rdi)
        else:
            return None
    except OSError:  # no such handle
        return None
    path = path.removesuffix(" (deleted)")
    if path == str(folder):
        return Call(name, "")
    return Call(name, path.removeprefix(f"{folder}/")) if path.startswith(f"{folder}/") else None


def text_at(process: int, address: int) -> str:
    """The text that ends with a NUL at an address of a process's memory."""
    with open(f"/proc/{process}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(4096).split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def ptrace(request: int, process: int, data: object) -> None:
    if libc.ptrace(request, process, None, data) and ctypes.get_errno() != errno.ESRCH:
        raise OSError(ctypes.get_errno(), "ptrace")
