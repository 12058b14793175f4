"""`crdt-sync lifecycle`: check a lifecycle file, draw it, fold transitions under it, name them, and play with it.

What these commands print and their exit codes are an interface that other tools rely on. They need no service.
"""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from crdt_sync.adapters.lifecycle_files import Loaded, read
from crdt_sync.cli.simulation import simulated
from crdt_sync.domain import canonical
from crdt_sync.domain.lifecycle import stories
from crdt_sync.domain.lifecycle.explain import explain
from crdt_sync.domain.lifecycle.fold import fold_lines
from crdt_sync.domain.lifecycle.graph import graph as graph_of
from crdt_sync.domain.lifecycle.model import Finding, Lane, Lifecycle
from crdt_sync.domain.lifecycle.phrases import Language
from crdt_sync.domain.lifecycle.witness import Witnesses
from crdt_sync.domain.transition import Transition, decode
from crdt_sync.yaml_tree import FILE_BYTES_MAX

EXIT_FINDINGS = 1
EXIT_UNREADABLE = 2

app = typer.Typer(name="lifecycle", help="Check lifecycle files and run them.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A lifecycle file (YAML).")]


@app.command()
def check(
    file: File,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of sentences.")] = False,
) -> None:
    """Prove a lifecycle file. Exit 0 with a summary, or 1 with every finding: FILE:LINE NAME Ln: ..."""
    loaded = _loaded(file)
    if json:
        typer.echo(canonical.dumps(_report(loaded)))
    elif loaded.findings or loaded.lifecycle is None:
        _tell(loaded)
    else:
        typer.echo(_summary(loaded.source, loaded.lifecycle))
    if loaded.findings:
        raise typer.Exit(EXIT_FINDINGS)


@app.command()
def fold(
    file: File,
    *,
    any_digest: Annotated[
        bool, typer.Option("--any-digest", help="Fold transitions that name another lifecycle, too.")
    ] = False,
) -> None:
    """Fold the transitions on standard input, one canonical JSON string a line, and print the ticket as JSON."""
    lifecycle = _lifecycle(file)
    typer.echo(canonical.dumps(fold_lines(lifecycle, typer.get_binary_stream("stdin"), any_digest=any_digest)))


@app.command(name="id")
def id_() -> None:
    """Print the id of each transition on standard input, or the code of a line that is none."""
    for line in typer.get_binary_stream("stdin"):
        record = line.removesuffix(b"\n")
        if record:
            decoded = decode(record)
            typer.echo(decoded.id if isinstance(decoded, Transition) else decoded.value)


@app.command()
def graph(
    file: File, *, language: Annotated[Language, typer.Option(help="The language of the labels.")] = "en"
) -> None:
    """Draw the lanes and the stage table as Mermaid diagrams, in Markdown."""
    typer.echo(graph_of(_lifecycle(file), language=language), nl=False)


@app.command()
def simulate(
    file: File,
    *,
    seed: Annotated[int, typer.Option(help="Which history; the same seed gives the same one.")],
) -> None:
    """Let three replicas act at random and partly apart, then print the story and why the ticket is where it is."""
    lifecycle = _lifecycle(file)
    story = simulated(lifecycle, seed)
    folded, _ = stories.folded(lifecycle, story)
    for event in story.events:
        typer.echo(event)
    typer.echo("")
    for line in explain(lifecycle, folded):
        typer.echo(line)


def _loaded(file: Path) -> Loaded:
    source = str(file).encode(errors="backslashreplace").decode()
    try:
        with file.open("rb") as stream:
            return read(stream.read(FILE_BYTES_MAX + 1), source)
    except OSError as error:
        _fail(f"{source} cannot be read: {error.strerror}.")


def _lifecycle(file: Path) -> Lifecycle:
    """The lifecycle of a file that passes L1 and L2; to fold, a file need not pass the rest."""
    loaded = _loaded(file)
    if loaded.lifecycle is None:
        _tell(loaded, err=True)
        raise typer.Exit(EXIT_FINDINGS)
    return loaded.lifecycle


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(EXIT_UNREADABLE)


def _tell(loaded: Loaded, *, err: bool = False) -> None:
    for finding in loaded.findings:
        typer.echo(finding.to_text(loaded.source), err=err)


def _summary(source: str, lifecycle: Lifecycle) -> str:
    return (
        f"{source}: {lifecycle.name} {lifecycle.version} is sound (lanes: {len(lifecycle.lanes)}, "
        f"stages: {len(lifecycle.stages)}, stories that hold: {len(lifecycle.stories)}). Digest {lifecycle.digest}."
    )


def _report(loaded: Loaded) -> dict[str, object]:
    lifecycle = loaded.lifecycle
    return {
        "ok": not loaded.findings,
        "digest": lifecycle.digest if lifecycle else None,
        "lanes": {lane.id: _lane(lane) for lane in lifecycle.lanes.values()} if lifecycle else {},
        "stages": [row.stage for row in lifecycle.stages] if lifecycle else [],
        "witnesses": Witnesses(lifecycle).of_stages() if lifecycle else {},
        "findings": [_finding(finding) for finding in loaded.findings],
    }


def _lane(lane: Lane) -> dict[str, object]:
    return {
        "owner": lane.owner,
        "initial": lane.initial,
        "states": list(lane.states),
        "conflicts": {name: sorted(members) for members, name in lane.conflicts.items()},
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "where": finding.where,
        "line": finding.line,
        "message": finding.message,
        "story": finding.story,
        "fix": finding.fix,
    }
