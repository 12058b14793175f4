"""`crdt-sync gateway channel`: write a channel spec, and see what it does, before and while a gateway runs."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from crdt_sync.adapters.clock import SystemClock
from crdt_sync.cli.dead_letters import ALL, Data, opened_inbox, tell_where_to_look
from crdt_sync.domain.lifecycle.node import escaped
from crdt_sync.errors import Malformed, NotFound
from crdt_sync.server import bootstrap
from gateway.specs import model, samples, trial
from gateway.specs.book import shipped_texts
from gateway.specs.channel import Described
from gateway.specs.lint import findings_of
from gateway.specs.reading import parse

EXIT_FINDINGS = 1
UNREAD = ("malformed", "mapping")  # why a callback was set aside whose spec did not fit

app = typer.Typer(name="channel", help="Look after chat platforms that are described by a file.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A channel spec (YAML).")]


@app.command()
def lint(files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Channel specs (YAML).")]) -> None:
    """Say what is wrong, a line each with file, line and code; exit 1 if anything is."""
    wrong = False
    for file in files:
        text = _read(file)
        found = findings_of(text)
        wrong = wrong or bool(found)
        for one in found:
            typer.echo(escaped(one.to_text(file.name)))
        if not found:
            spec = _spec(file)
            typer.echo(f"{file.name}: nothing wrong; {spec.samples.count} samples hold; spec {parse(text).digest}")
    if wrong:
        raise typer.Exit(EXIT_FINDINGS)


@app.command("dry-run")
def dry_run(
    file: File,
    *,
    sample: Annotated[str | None, typer.Option(help="Only the sample of this name.")] = None,
    body: Annotated[Path | None, typer.Option(help="In place of the samples, a body that was recorded.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="Of that body's request: 'name: value'.")] = None,
) -> None:
    """Show what recorded requests come to, as `expect` has it: verified or refused, keys, conversation, envelope.

    The samples' secrets sign. A body whose signature does not hold is shown with what it would be, and read all the
    same, as is a handshake: so a new sample is written. The file needs no samples for it.
    """
    spec = _spec(file)
    if lacking := sorted(set(spec.fields) - set(spec.samples.fields)):
        advice = f"`samples: {{fields: {{{lacking[0]}: ...}}}}` says for which account the requests are."
        raise Malformed(f"{file.name}: the samples have no {lacking[0]}.", code="sample", advice=advice)
    channel = trial.sample_channel(spec, parse(_read(file)).digest)
    if body is not None:
        _show_body(channel, body, header or [])
        return
    chosen = [one for one in spec.samples.received if sample in (None, one.name)]
    if not spec.samples.received:
        raise NotFound(f"{file.name} has no samples.", advice="`--body FILE` shows what a recorded body comes to.")
    if not chosen:
        raise NotFound(f"There is no sample {sample}.", advice=", ".join(one.name for one in spec.samples.received))
    for one in chosen:
        typer.echo(f"# {escaped(one.name)}")
        typer.echo(trial.shown(channel, one).as_json())


@app.command()
def replay(
    account: Annotated[str, typer.Argument(help="Of the channel whose spec was mended.")], *, data: Data = None
) -> None:
    """Have what a spec could not read read again, by the spec that the gateway has then; it begins within a minute."""

    async def work() -> tuple[Counter[str], int]:
        async with opened_inbox(data) as inbox:
            dead = [one for one in await inbox.dead(limit=ALL) if one.account == account and one.code in UNREAD]
            unknown = await inbox.replay([one.id for one in dead])
        return Counter(one.spec or "none" for one in dead), len(unknown)

    specs, gone = bootstrap.run(work())
    read_by = ", ".join(f"{count} by {digest}" for digest, count in sorted(specs.items()))
    typer.echo(f"{specs.total() - gone} to be read again{': ' * bool(read_by)}{read_by}.")
    tell_where_to_look(specs.total() - gone)


@app.command()
def show(name: Annotated[str | None, typer.Argument(help="Its channel; without it, all are listed.")] = None) -> None:
    """Print a spec that ships with the gateway, to be copied and changed."""
    texts = shipped_texts()
    if name is None:
        typer.echo("\n".join(texts))
    elif name in texts:
        typer.echo(texts[name], nl=False)
    else:
        raise NotFound(f"No spec of {name} ships with the gateway.", advice=f"Shipped are: {', '.join(texts)}.")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a channel spec, for editors; it is `gateway/specs/channel.schema.json`."""
    typer.echo(schema_text(), nl=False)


def schema_text() -> str:
    """The JSON Schema of a spec, as the file has it."""
    return json.dumps(model.Spec.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _show_body(channel: Described, body: Path, headers: Sequence[str]) -> None:
    named = dict(one.split(": ", 1) for one in headers if ": " in one)
    text = _read(body).decode(errors="replace")
    received = samples.Received.model_validate(
        {
            "name": "body",
            "recorded": str(body),
            "at_ms": SystemClock().now_ms(),
            "headers": named,
            "body": text,
            "expect": {},
        }
    )
    if lacking := sorted(set(channel.spec.secrets) - set(channel.spec.samples.secrets)):
        typer.echo(f"# not verified: `samples.secrets` has no {', '.join(lacking)}")
        came = trial.unsigned(channel, received)
    elif (came := trial.shown(channel, received)).refused == "signature":
        typer.echo(f"# refused: signature; its signature would be {trial.signature_hint(channel, received)}")
        came = trial.unsigned(channel, received)
    if came.answer is not None:
        typer.echo(f"# handshake, answered with {escaped(came.answer)}" if came.answer else "# no message in it")
    typer.echo(came.as_json())


def _spec(file: Path) -> model.Spec:
    parsed = parse(_read(file))
    if parsed.spec is None:
        first = escaped(parsed.findings[0].to_text(file.name))
        raise Malformed(f"The file is no channel spec: {first}", code="spec", advice="`channel lint FILE` lists all.")
    return parsed.spec


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Malformed(f"{file} cannot be read: {error.strerror}.", code="file") from None
