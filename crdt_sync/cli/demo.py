"""`crdt-sync demo`: the service and its gateway, a walk through the lifecycle's stories, and tokens to sign in with."""

from time import perf_counter

import typer

from crdt_sync.cli import wechat_customer
from crdt_sync.cli.process import running, until_signal
from crdt_sync.cli.walk import Walk, token
from crdt_sync.domain.lifecycle.explain import Language
from crdt_sync.domain.lifecycle.people import people
from crdt_sync.ports import Clock
from crdt_sync.server.bootstrap import Service
from crdt_sync.server.keys import local_secret
from crdt_sync.server.settings import Settings
from gateway.accounts import WebAccount


async def play(settings: Settings, *, language: Language, stories: int, once: bool, clock: Clock) -> bool:
    """Start everything, walk through the first `stories`, and serve on unless `once`; True if all was as expected.

    Raises:
        Unavailable: a port is taken.
        Malformed: a setting or the lifecycle will not do.

    """
    gateway = {
        "accounts": (wechat_customer.account(), _site(settings)),
        "timestamp_tolerance_s": wechat_customer.SAMPLE_AGE_S,
    }
    began = perf_counter()
    async with running(settings.model_copy(update={"gateway": True}), gateway=gateway) as service:
        async with Walk(settings, service, language, clock) as walk:
            await walk.through(stories)
        failed = walk.failures
        verdict = "every expectation held" if not failed else f"{len(failed)} expectations FAILED: {'; '.join(failed)}"
        typer.echo(f"\n{verdict}, {perf_counter() - began:.1f} s from the start.")
        if not once:
            _print_addresses(settings, service)
            await until_signal()
    return not failed


def _site(settings: Settings) -> WebAccount:
    """A site of the demonstration's own, with a secret that is drawn once."""
    secret = local_secret(settings.data / "widget.key").hex()
    return WebAccount(channel="web", account="web", secret=lambda: secret, demo=True)


def _print_addresses(settings: Settings, service: Service) -> None:
    typer.echo(f"\nThe service goes on: http://127.0.0.1:{service.port}/  grpc://127.0.0.1:{service.grpc_port}")
    typer.echo(f"A page with the chat widget, for a customer: http://127.0.0.1:{service.port}/widget/demo")
    for department in service.lifecycle.departments:
        typer.echo(f"The console of {department}: http://127.0.0.1:{service.port}/console/{department}")
    typer.echo("They let you in by a button for each role; programs take a token (good for 12 hours); Ctrl-C ends it.")
    for person in people(service.lifecycle):
        typer.echo(f"  {person.name}: {token(settings, person)}")
