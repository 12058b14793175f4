"""Coverage-guided fuzzing of every decoder, with atheris: `python -m tests.codecs.fuzz --seconds 60`.

Each decoder runs in a process of its own, from its seeds and what was kept before. What finds new ways through the
code is kept in `corpus`, minimised; what breaks a promise ends the run, and its bytes are printed.
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.codecs.corpus import keep, kept

INPUT_BYTES_MAX = 512  # every branch is within reach of so many, and the kept inputs stay short
INPUT_S_MAX = 5
MEMORY_MB_MAX = 1_024  # of the whole process, most of which is the interpreter and coverage
KEPT_MAX = 150  # of a decoder; with more, the repository would hold what nobody reads


def one(name: str, arguments: Sequence[str]) -> None:
    """Fuzz one decoder in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["crdt_sync"]):
        from tests.codecs.decoders import DECODERS
        from tests.codecs.properties import hold

    decoder = DECODERS[name]
    atheris.Setup(list(arguments), lambda data: hold(decoder, bytes(data)))
    atheris.Fuzz()


def fuzz(name: str, seeds: Sequence[bytes], seconds: int) -> bool:
    """Fuzz one decoder and keep what was worth it; tell whether it held."""
    with tempfile.TemporaryDirectory() as folder:
        found, small = Path(folder, "found"), Path(folder, "small")
        for place in (found, small):
            place.mkdir()
        for number, data in enumerate([*seeds, *kept(name)]):
            (found / f"{number:04}").write_bytes(data)
        # libFuzzer starts itself anew to minimise, by the first of its arguments.
        program = Path(folder, "program")
        program.write_text(f'#!/bin/sh\nexec {shlex.join(_command(name))} "$0" "$@"\n')
        program.chmod(0o700)
        limits = [
            str(program),
            f"-max_len={INPUT_BYTES_MAX}",
            f"-timeout={INPUT_S_MAX}",
            f"-rss_limit_mb={MEMORY_MB_MAX}",
        ]
        said = _child(name, [*limits, f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", str(found)])
        broken = [path for path in Path(folder).iterdir() if path.is_file() and path != program]
        if said.returncode != 0:
            print(f"{name}: broken by {[path.read_bytes().hex() for path in broken]}\n{said.stderr[-4000:]}")
            return False
        _child(name, [*limits, "-merge=1", str(small), str(found)])
        inputs = sorted((path.read_bytes() for path in small.iterdir()), key=len)[:KEPT_MAX]
        keep(name, inputs)
        runs = next((line for line in reversed(said.stderr.splitlines()) if line.startswith("Done")), "")
        print(f"{name}: {runs.lower()}, {len(inputs)} inputs kept", flush=True)
        return True


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each decoder")
    parser.add_argument("--decoder", help="this one alone")
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child is not None:
        one(chosen.decoder, chosen.child)
    from tests.codecs.decoders import DECODERS

    names = [chosen.decoder] if chosen.decoder else list(DECODERS)
    held = [fuzz(name, DECODERS[name].seeds(), chosen.seconds) for name in names]
    sys.exit(0 if all(held) else 1)


def _child(name: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = [*_command(name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _command(name: str) -> Sequence[str]:
    return (sys.executable, "-m", "tests.codecs.fuzz", "--decoder", name, "--child")


if __name__ == "__main__":
    main()
