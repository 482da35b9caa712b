"""Drives the real code of the ledger's protocol through every interleaving of single AWS calls.

A process is a chain of programs: a Lambda call, a job, the end of an execution. A program is a plain function that
talks to AWS through clients. It is run again from its start with the answers that it has had so far, until it asks
for one more: that is where it stands. A state of the whole is the cloud and where all processes stand; every state
is visited once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from tests.unit.functions.protocol.cloud import READS, Answer, Call, Cloud, perform

Program = tuple[Any, ...]
Programs = Mapping[str, Callable[..., Program | None]]


class Pause(BaseException):
    """The program asks for an answer that it has not had yet."""

    def __init__(self, call: Call) -> None:
        super().__init__(call[1])
        self.call = call


@dataclass
class Driver:
    """Answers a program from its log."""

    log: Sequence[Answer]
    used: int = 0

    def call(self, service: str, method: str, request: Mapping[str, Any]) -> Any:
        if self.used == len(self.log):
            raise Pause((service, method, request))
        answer = self.log[self.used]
        self.used += 1
        if isinstance(answer, ClientError):
            raise answer
        return answer


@dataclass(frozen=True)
class Client:
    """A boto3 client of one service that asks the driver."""

    driver: Driver
    service: str

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda **request: self.driver.call(self.service, method, request)


@dataclass(frozen=True, eq=False)
class Place:
    """Where a process stands: in a program, after some answers; its next call, or nothing when it has ended."""

    program: Program | None
    log: tuple[Answer, ...] = ()
    call: Call | None = None


class Places:
    """Every place there is, each reached once."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._starts: dict[Program | None, Place] = {None: Place(None)}
        self._steps: dict[tuple[Place, str], Place] = {}

    def start(self, program: Program | None) -> Place:
        """Return where a program begins, or where the first that makes a call does."""
        if program not in self._starts:
            self._starts[program] = self._run(program, ())
        return self._starts[program]

    def step(self, place: Place, answer: Answer) -> Place:
        """Return where a process stands after an answer to its call."""
        key = (place, _canonical(answer))
        if key not in self._steps:
            assert place.program is not None
            self._steps[key] = self._run(place.program, (*place.log, answer))
        return self._steps[key]

    def _run(self, program: Program, log: tuple[Answer, ...]) -> Place:
        kind, *arguments = program
        try:
            following = self._programs[kind](Driver(log), *arguments)
        except Pause as pause:
            return Place(program, log, pause.call)
        return self.start(following)


def _canonical(answer: Answer) -> str:
    if isinstance(answer, ClientError):
        return f"!{answer.response['Error']['Code']}{answer.response.get('CancellationReasons', '')}"
    return json.dumps(answer, sort_keys=True, default=repr)


@dataclass(frozen=True)
class Process:
    """A place, the execution that it works for, and whether nobody waits for it any more."""

    place: Place
    execution: str = ""
    zombie: bool = False


Move = tuple[int, tuple[int, ...]]
KINDS = frozenset({"abort", "kill", "again", "job", "twice"})
_BITS = 24
_MASK = (1 << _BITS) - 1


def _packed(cloud: int, processes: Sequence[int], failures: int) -> int:
    """Return a state as one number, which takes the least memory: of the processes only who stands where counts."""
    state = 1
    for process in sorted(processes):
        state = state << _BITS | process
    return (state << _BITS | cloud) << _BITS | failures


def _unpacked(state: int) -> tuple[int, int, tuple[int, ...]]:
    failures, cloud, rest = state & _MASK, state >> _BITS & _MASK, state >> 2 * _BITS
    processes = []
    while rest > 1:
        processes.append(rest & _MASK)
        rest >>= _BITS
    return cloud, failures, tuple(processes)


@dataclass
class Explorer:
    """Explores all states; `execution` names the program that an execution begins with.

    `step` is told of every change of the cloud, `quiet` of every cloud in which nobody is left who must go on.
    """

    places: Places
    execution: Callable[[str], Program]
    step: Callable[[Cloud, Cloud], None]
    quiet: Callable[[Cloud], None]
    kinds: frozenset[str] = KINDS
    noticed: Callable[[Cloud, Call], None] = lambda _cloud, _call: None
    visited: int = 0
    transitions: int = 0
    clouds: list[Cloud] = field(default_factory=list)
    _cloud_numbers: dict[Any, int] = field(default_factory=dict)
    _processes: list[Process] = field(default_factory=list)
    _process_numbers: dict[Process, int] = field(default_factory=dict)
    _moves: dict[tuple[int, int], Move] = field(default_factory=dict)
    _strikes: dict[tuple[int, int], tuple[Move, ...]] = field(default_factory=dict)

    def explore(self, cloud: Cloud, programs: Sequence[Program], failures: int) -> None:
        """Visit every state that can be reached: a cloud, who stands where, how many failures may still happen."""
        processes = [self._number(Process(self.places.start(program))) for program in programs]
        start = _packed(self._cloud(cloud), processes, failures)
        seen, quiet, stack = {start}, set[int](), [start]
        while stack:
            number, left, processes_now = _unpacked(stack.pop())
            self.visited += 1
            if number not in quiet and all(self._processes[one].zombie for one in processes_now):
                quiet.add(number)
                self.quiet(self.clouds[number])
            for after in self._successors(number, processes_now, left):
                self.transitions += 1
                if after not in seen:
                    seen.add(after)
                    stack.append(after)

    def run(self, cloud: Cloud, program: Program) -> Cloud:
        """Run one program, and whatever it starts, to the end, one after the other."""
        number, waiting = self._cloud(cloud), [self._number(Process(self.places.start(program)))]
        while waiting:
            number, new = self._move(number, waiting.pop(0))
            waiting = [*new, *waiting]
        return self.clouds[number]

    def _successors(self, cloud: int, processes: tuple[int, ...], failures: int) -> Iterator[int]:
        """Yield what may happen next: any process makes its call, or a failure strikes one."""
        for place, process in enumerate(processes):
            others = processes[:place] + processes[place + 1 :]
            after, mine = self._move(cloud, process)
            yield _packed(after, others + mine, failures)
            if failures:
                for after, mine in self._strike(cloud, process):
                    yield _packed(after, others + mine, failures - 1)

    def _move(self, cloud: int, process: int) -> Move:
        if (cloud, process) not in self._moves:
            self._moves[cloud, process] = self._go(cloud, self._processes[process])
        return self._moves[cloud, process]

    def _go(self, number: int, process: Process, answer: Answer = None, *, twice: bool = False) -> Move:
        """Let a process make its call; return the cloud, and who goes on: itself, and what it has started."""
        before = cloud = self.clouds[number]
        call = process.place.call
        assert call is not None
        if answer is None:
            for _ in range(2 if twice else 1):
                cloud, answer = perform(cloud, call)
        self.noticed(before, call)
        if cloud is not before:
            self.step(before, cloud)
        place = self.places.step(process.place, answer)
        goes_on = place.program is not None and (not process.zombie or place.program == process.place.program)
        mine = [Process(place, process.execution, process.zombie)] if goes_on else []
        begun = sorted(cloud.executions.keys() - before.executions.keys())
        new = [Process(self.places.start(self.execution(name)), name) for name in begun]
        return self._cloud(cloud), tuple(self._number(one) for one in (*mine, *new))

    def _strike(self, cloud: int, process: int) -> tuple[Move, ...]:
        if (cloud, process) not in self._strikes:
            self._strikes[cloud, process] = tuple(self._failures(cloud, self._processes[process]))
        return self._strikes[cloud, process]

    def _failures(self, number: int, process: Process) -> Iterator[Move]:
        """Yield what one failure makes of a process that somebody waits for.

        Its execution is aborted, while its call may go on; its Lambda or job is begun a second time, while the
        first may go on; an answer is lost, and the client makes the call again; the job fails.
        """
        if process.zombie:
            return
        zombie = self._number(Process(process.place, process.execution, zombie=True))
        if "abort" in self.kinds and process.execution:
            yield self._cloud(self.clouds[number].ended(process.execution, "ABORTED")), (zombie,)
        again = self._number(Process(self.places.start(process.place.program), process.execution))
        if "again" in self.kinds:
            yield number, (zombie, again)
        if "kill" in self.kinds:
            yield number, (again,)
        call = process.place.call
        assert call is not None
        if "job" in self.kinds and call[1] == "publish":
            yield self._go(number, process, "OutOfMemoryError")
        if "twice" in self.kinds and call[1] not in (*READS, "publish"):
            yield self._go(number, process, twice=True)

    def _cloud(self, cloud: Cloud) -> int:
        identity = cloud.identity()
        if identity not in self._cloud_numbers:
            self._cloud_numbers[identity] = len(self.clouds)
            self.clouds.append(cloud)
        return self._cloud_numbers[identity]

    def _number(self, process: Process) -> int:
        if process not in self._process_numbers:
            self._process_numbers[process] = len(self._processes)
            self._processes.append(process)
        return self._process_numbers[process]
