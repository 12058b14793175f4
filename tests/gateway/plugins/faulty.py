"""A plugin that does what a message tells it to."""

import asyncio
import os
import signal
import sys

from gateway.plugins.api import Refusal, Route, TryLater


class Spinner:
    """Never gives its event loop a turn, from the first on."""

    api_version = 1

    def __init__(self, context):
        self.sign = context.data / "spinning"

    async def run(self):
        self.sign.touch()
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
            case ["die"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case ["babble"]:
                os.write(int(self.context.options["socket"]), b"\xff" * 8)
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
                return f"{os.nice(0)} {sys.argv[0]}"
            case ["say", word]:
                return word
        return None
