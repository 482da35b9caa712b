"""Functions of the laptop cloud: each has its own code, whatever the process's other threads import."""

from __future__ import annotations

import itertools
import sys
import threading
from types import ModuleType

import functions
from orchestration.embedded import lambdas


def test_a_function_takes_its_modules_while_other_threads_import():
    stop = threading.Event()

    def import_much():
        for number in itertools.count():
            if stop.is_set():
                return
            for name in [f"imported_{number}_{place}" for place in range(50)]:
                sys.modules[name] = ModuleType(name)
            for name in [name for name in list(sys.modules) if name.startswith("imported_")]:
                sys.modules.pop(name)

    thread = threading.Thread(target=import_much)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        for _ in range(2_000):
            taken = lambdas._take_modules()
            sys.modules.update(taken)
            assert taken["functions"] is functions
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)
