"""What a service counted as refused, as its operator reads it."""

from collections import Counter
from contextlib import asynccontextmanager

from prometheus_client.parser import text_string_to_metric_families


async def refusals(running):
    """Return how often each wire refused with each code."""
    text, counted = (await running.http.get("/metrics")).text, Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "crdt_sync_refusals_total":
                counted[sample.labels["wire"], sample.labels["code"]] = int(sample.value)
    return counted


@asynccontextmanager
async def refused(running, *expected):
    """Hold that these refusals, pairs of a wire and a code, are counted within, and nothing else is."""
    before = await refusals(running)
    yield
    assert Counter(expected) == await refusals(running) - before
