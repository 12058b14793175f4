"""A plugin that does what a message tells it to."""

import asyncio
import mmap
import os
import signal
import subprocess
from pathlib import Path

from gateway.plugins.api import Refusal, Route, TryLater


def begin(held):
    """Begin a process that would live for long, and whose output is a file that is to be written."""
    with held.open("w") as output:
        return subprocess.Popen(["sleep", "600"], stdout=output)


class Spinner:
    """Never gives its event loop a turn, from the first on, and has a child."""

    api_version = 1

    def __init__(self, context):
        self.sign = context.data / "spinning"
        self.child = begin(context.data / "held")

    async def run(self):
        self.sign.write_text(str(os.getpid()))
        while True:
            pass


class Faulty:
    def __init__(self, context):
        self.api_version = context.options.get("version", 1)
        self.context = context

    async def on_message(self, message):
        return Route(rule) if (rule := await self._obey(message.texts[0])) else None

    async def on_answer(self, answer):
        return Refusal(code) if (code := await self._obey(answer.text)) else None

    def _map(self):
        self.mapped = mmap.mmap(-1, 500 * 1024 * 1024)
        self.mapped[:: mmap.PAGESIZE] = bytes(len(self.mapped) // mmap.PAGESIZE)

    def _block(self):
        os.kill(os.getpid(), signal.SIGSTOP)
        self.context.count("blocked")

    async def _obey(self, text):
        match text.split():
            case ["hang"]:
                await asyncio.Event().wait()
            case ["spin"]:
                while True:
                    pass
            case ["raise"]:
                raise ValueError(text)
            case ["allocate"]:
                return str(len(bytearray(500 * 1024 * 1024)))
            case ["map" | "block" as what]:
                then = {"map": self._map, "block": self._block}[what]
                asyncio.get_running_loop().call_soon(then)  # behind the answer, which has a deadline
            case ["begin", held]:
                self.child = begin(Path(held))
                return "begun"
            case ["die"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case ["later"]:
                raise TryLater("what it needs is away")
            case ["print"]:
                print("on the output")
                self.context.count("printed")
            case ["knows", name]:
                return str(name in os.environ)
            case ["secret"]:
                return self.context.secret("password")
            case ["limits"]:
                return f"{os.nice(0)} {os.sched_getscheduler(0)}"
            case ["say", word]:
                return word
        return None
