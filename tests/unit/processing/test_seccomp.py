"""The filter of system calls, run by a machine of our own, for every architecture."""

import errno

import pytest

from mediatheque.processing import syscalls
from mediatheque.processing.seccomp import ARCHITECTURES, Operation, program

PID = 4711
ALLOW = 0x7FFF0000
KILL = 0x80000000
REFUSE = 0x00050000 | errno.EPERM
UNKNOWN = 0x00050000 | errno.ENOSYS

X86_64 = ARCHITECTURES["x86_64"]
READ = {"x86_64": 0, "aarch64": 63}
REFUSED = (
    syscalls.NETWORK | syscalls.PROCESSES | syscalls.FILES | syscalls.MEMORY | syscalls.MACHINE
)
CLONE_THREAD = 0x00010000
O_RDONLY, O_WRONLY, O_RDWR, O_NEITHER, O_TRUNC, O_CREAT = 0, 1, 2, 3, 0x200, 0x40


def run(machine: str, number: int, *arguments: int, audit: int | None = None) -> int:
    """Return what the filter decides about a system call (linux/filter.h)."""
    architecture = ARCHITECTURES[machine]
    words = {0: number, 4: architecture.audit if audit is None else audit}
    words |= {16 + 8 * index: value & 0xFFFFFFFF for index, value in enumerate(arguments)}
    instructions = program(architecture, PID)
    at = accumulator = 0
    while True:
        step = instructions[at]
        operand = step.operand
        at += 1
        match step.operation:
            case Operation.LOAD:
                accumulator = words[operand]
            case Operation.AND:
                accumulator &= operand
            case Operation.RETURN:
                return int(operand)
            case Operation.JUMP_EQUAL:
                at += step.if_true if accumulator == operand else step.if_false
            case Operation.JUMP_GREATER:
                at += step.if_true if accumulator > operand else step.if_false
            case Operation.JUMP_SET:
                at += step.if_true if accumulator & operand else step.if_false


def judged(machine: str, name: str, *arguments: int) -> int | None:
    number = syscalls.JUDGED[name][ARCHITECTURES[machine].column]
    return None if number is None else run(machine, number, *arguments)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_every_refused_call_is_refused(machine: str) -> None:
    numbers = [numbers[ARCHITECTURES[machine].column] for numbers in REFUSED.values()]

    decisions = {number: run(machine, number) for number in numbers if number is not None}

    assert set(decisions.values()) == {REFUSE}


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_what_is_not_refused_is_allowed(machine: str) -> None:
    column = ARCHITECTURES[machine].column
    named = {numbers[column] for numbers in (REFUSED | syscalls.JUDGED).values()}

    decisions = {run(machine, n) for n in range(syscalls.NEWEST + 1) if n not in named}

    assert decisions == {ALLOW}


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_calls_that_were_not_known_do_not_exist(machine: str) -> None:
    assert run(machine, syscalls.NEWEST + 1) == UNKNOWN
    assert run(machine, 0x3FFFFFFF) == UNKNOWN


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_calls_of_another_architecture_kill(machine: str) -> None:
    i386 = 0x40000003

    assert run(machine, READ[machine], audit=i386) == KILL


def test_the_calls_of_x32_are_refused() -> None:
    assert run("x86_64", 0x40000000) == REFUSE
    assert run("x86_64", 0xFFFFFFFF) == REFUSE


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_threads_can_be_started_and_processes_not(machine: str) -> None:
    assert judged(machine, "clone", CLONE_THREAD | 0x0F00) == ALLOW
    assert judged(machine, "clone", 17) == REFUSE  # SIGCHLD: what fork(3) passes
    assert judged(machine, "clone3") == UNKNOWN


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("call", ["kill", "tgkill"])
def test_only_itself_can_be_signalled(machine: str, call: str) -> None:
    decisions = [judged(machine, call, pid) for pid in (PID, 0, -1, -PID, 1)]

    assert decisions == [ALLOW, REFUSE, REFUSE, REFUSE, REFUSE]


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_limits_of_others_cannot_be_changed(machine: str) -> None:
    assert judged(machine, "prlimit64", 0) == ALLOW
    assert judged(machine, "prlimit64", 1) == REFUSE


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_descriptor_cannot_be_made_to_signal_others(machine: str) -> None:
    set_owner, set_signal, set_owner_ex, get_flags = 8, 10, 15, 3

    assert judged(machine, "fcntl", 5, set_owner) == REFUSE
    assert judged(machine, "fcntl", 5, set_signal) == REFUSE
    assert judged(machine, "fcntl", 5, set_owner_ex) == REFUSE
    assert judged(machine, "fcntl", 5, get_flags) == ALLOW


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_descriptor_is_asked_only_what_is_harmless(machine: str) -> None:
    is_terminal, readable, set_flags, enable_verity = 0x5401, 0x541B, 0x40086602, 0x40806685

    decisions = [
        judged(machine, "ioctl", 5, request)
        for request in (is_terminal, readable, set_flags, enable_verity)
    ]

    assert decisions == [ALLOW, ALLOW, REFUSE, REFUSE]


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_renaming_leaves_nothing_behind(machine: str) -> None:
    whiteout = 4

    assert judged(machine, "renameat2", 0, 0, 0, 0, 0) == ALLOW
    assert judged(machine, "renameat2", 0, 0, 0, 0, whiteout) == REFUSE


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize(
    ("flags", "decision"),
    [
        (O_RDONLY, ALLOW),
        (O_WRONLY | O_CREAT | O_TRUNC, ALLOW),
        (O_RDWR | O_TRUNC, ALLOW),
        (O_RDONLY | O_TRUNC, REFUSE),
        (O_NEITHER | O_TRUNC, REFUSE),
    ],
)
def test_what_is_opened_for_reading_cannot_be_emptied(
    machine: str, flags: int, decision: int
) -> None:
    assert judged(machine, "open", 0, flags) in {decision, None}
    assert judged(machine, "openat", 0, 0, flags) == decision
    assert judged(machine, "openat2") == UNKNOWN


def test_the_kernel_takes_programs_of_this_length() -> None:
    assert all(len(program(machine, PID)) <= 4096 for machine in ARCHITECTURES.values())
