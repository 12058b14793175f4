"""What a gateway counts is shown under the same names, alone and in the service's process."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from crdt_sync.cli.process import running
from crdt_sync.server.settings import Settings
from gateway.counts import Counts
from gateway.metrics import MetricsPage
from tests.gateway.rig import serving


def numbers(text):
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


async def asked(readers="local", **headers):
    counts = Counts()
    counts.add("callback.accepted", 2)
    counts.show("pull.cursor_age_s.shop", 7)
    app = Starlette(routes=MetricsPage(counts, readers).routes())
    async with serving(app) as url, httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"{url}/metrics", headers=headers)


async def test_counts_and_levels_are_shown_beside_the_process():
    shown = numbers((await asked()).text)

    assert 2 == shown["crdt_sync_gateway_events_total", "callback.accepted"]
    assert 7 == shown["crdt_sync_gateway_level", "pull.cursor_age_s.shop"]
    assert shown["process_resident_memory_bytes",] > 0


@pytest.mark.parametrize(
    ("readers", "headers", "status"),
    [
        ("local", {"x-forwarded-for": "127.0.0.1"}, 404),
        ("local", {"host": "chat.example"}, 404),
        ("all", {"host": "chat.example"}, 200),
        ("nobody", {}, 404),
    ],
)
async def test_only_who_may_reads_them(readers, headers, status):
    assert status == (await asked(readers, **headers)).status_code


async def test_in_the_services_process_they_stand_on_its_page(tmp_path):
    settings = Settings(data=tmp_path, port=0, grpc_port=0, gateway=True)
    async with running(settings) as service, httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{service.port}"
        await client.post(f"{url}/channels/nobody")
        shown = numbers((await client.get(f"{url}/metrics")).text)

    assert 1 == shown["crdt_sync_gateway_events_total", "callback.refused.not_found"]
    assert ("crdt_sync_rooms",) in shown
