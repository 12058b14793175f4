"""Histories told again: with other times or authors, or without some of their events. And results under new names."""

from property_tests.strategies import History


def retell(history, change=lambda _i, _e: {}, *, without=frozenset()):
    """The history with each record changed, and the new name of each old one. Who saw what stays as it was."""
    again, names = History(history.spec), {}
    for i, e in history.naive.events.items():
        if i in without:
            continue
        seen = newest(history, history.naive.past[i] - without) if without & {*e["after"]} else e["after"]
        record = e | {"after": sorted(names[a] for a in seen), "ticket": names.get(e["ticket"], e["ticket"])}
        names[i] = again.add(record | change(i, e))
        again.opening = again.opening or names[i]
    return again, names


def newest(history, part):
    return [x for x in part if not any(x in history.naive.past[y] for y in part)]


def renamed(result, names):
    """The result with every id replaced; lists of ids are sorted anew."""
    if isinstance(result, dict):
        return {names.get(key, key): renamed(value, names) for key, value in result.items()}
    if isinstance(result, list):
        found = [renamed(value, names) for value in result]
        return sorted(found) if all(isinstance(value, str) and value in names for value in result) else found
    return names.get(result, result) if isinstance(result, str) else result
