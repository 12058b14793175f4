"""What silent strangers cost: sockets that were opened and say nothing, or not enough, until the service drops them.

    python -m benchmarks.silence --sockets 5000

Half of what is measured is connections on which no request ever comes, half are WebSockets on which no token does.
The service runs in a process of its own; its memory is read from /proc, so this runs on Linux.
"""

import argparse
import asyncio
import re
import sys
import tempfile
from pathlib import Path

HANDSHAKE = (
    b"GET /collab HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
KINDS = {"no request": b"", "half a request": HANDSHAKE[:60], "no token": HANDSHAKE}
AT_ONCE = 200  # handshakes under way together
SETTLE_S = 1.0
PATIENCE_S = 60.0
CLOSE_FRAME = 0x88


async def table(sockets: int) -> str:
    """Return a row a kind of silence: what one socket costs, and when the last of them was dropped."""
    rows = ["| silence | sockets | kB a socket | seconds until the last was dropped |", "|---|---|---|---|"]
    for kind, said in KINDS.items():
        with tempfile.TemporaryDirectory() as data:
            cost_kb, dropped_s = await _measured(Path(data), sockets, said)
        rows.append(f"| {kind} | {sockets} | {cost_kb:.1f} | {dropped_s:.1f} |")
    return "\n".join(rows)


async def _measured(data: Path, sockets: int, said: bytes) -> tuple[float, float]:
    options = ("--port", "0", "--grpc-port", "0", "--data", str(data), "--no-gateway", "--log-level", "error")
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crdt_sync.cli.main", "serve", *options), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert service.stdout is not None
        found = re.search(rb"http://127\.0\.0\.1:(\d+)", await service.stdout.readline())
        assert found, "the service did not start"
        port = int(found[1])
        for writer in [(await _opened(port, said))[1] for _ in range(10)]:  # what the first ones load is nobody's cost
            writer.close()
        before_kb, gate = _resident_kb(service.pid), asyncio.Semaphore(AT_ONCE)
        began_s = asyncio.get_running_loop().time()
        ends = [asyncio.create_task(_dropped(port, said, gate)) for _ in range(sockets)]
        async with asyncio.timeout(PATIENCE_S):
            while gate.locked() or asyncio.get_running_loop().time() < began_s + SETTLE_S:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            cost_kb = (_resident_kb(service.pid) - before_kb) / sockets
            await asyncio.gather(*ends)
        return cost_kb, asyncio.get_running_loop().time() - began_s
    finally:
        service.terminate()
        await service.wait()


async def _opened(port: int, said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a socket and say so much; hear what a handshake is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    if said == HANDSHAKE:
        await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def _dropped(port: int, said: bytes, gate: asyncio.Semaphore) -> None:
    """Open a socket, say so much, and wait until the service has ended it."""
    async with gate:
        reader, writer = await _opened(port, said)
    try:
        first = await reader.read(1)
        assert not first or first[0] == CLOSE_FRAME, "nothing but a close is said to a stranger"
    except ConnectionResetError:
        pass
    finally:
        writer.close()


def _resident_kb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found, "a running process has memory"
    return int(found[1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=5000, help="of each kind")
    print(asyncio.run(table(parser.parse_args().sockets)))


if __name__ == "__main__":
    main()
