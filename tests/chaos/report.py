"""What a run says: seed, faults and where they fell, lost, double, drift, recovery time, and the bound for n kills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .campaign import Outcome


def report(outcomes: Sequence[Outcome]) -> str:
    """Lines for a terminal."""
    kills = [kill for outcome in outcomes for kill in outcome.kills]
    recoveries = sorted(seconds for outcome in outcomes for seconds in outcome.recoveries)
    published = [outcome.published for outcome in outcomes]
    lines = [
        f"seeds            {', '.join(f'{outcome.lane}={outcome.seed}' for outcome in outcomes)}",
        f"events           {sum(len(p.oracle().facts) for p in published):,} distinct, "
        f"{sum(len(p.records) for p in published):,} records: {sum(p.duplicates for p in published):,} duplicates, "
        f"{sum(p.late for p in published):,} late, {sum(p.moved for p in published):,} moved, "
        f"{sum(len(p.poison) for p in published):,} poison",
        f"kill -9          {len(kills):,} in {max(outcome.took_s for outcome in outcomes):.0f} s; "
        f"workers that ended by themselves {sum(len(outcome.exits) for outcome in outcomes)}",
        f"lost             {sum(len(o.verdict.lost) + len(o.verdict.poison_lost) for o in outcomes):,}",
        f"double           {sum(len(o.verdict.doubled) + len(o.verdict.poison_extra) for o in outcomes):,}",
        f"drift            {sum(len(rows) for o in outcomes for rows in o.verdict.drift.values()):,} rows, "
        f"{sum(len(o.verdict.unreconciled) for o in outcomes):,} found by reconcile, "
        f"{sum(len(o.verdict.wrong) for o in outcomes):,} wrong versions",
        f"recovery         p50 {quantile(recoveries, 0.5):.2f} s, p99 {quantile(recoveries, 0.99):.2f} s "
        "(from the kill until the next life had stored facts)",
        f"worker memory    {max(outcome.peak_rss for outcome in outcomes) / 2**20:.0f} MiB at the most",
    ]
    failures = sum(not outcome.verdict.clean for outcome in outcomes)
    if kills and not failures:
        lines.append(f"bound            0 failures in {len(kills):,} kills: below {3 / len(kills):.2%} a kill at 95 %")
    lines.append("where they fell  " + places(outcomes))
    lines += [f"{outcome.lane}: {outcome.verdict}" for outcome in outcomes]
    lines += [f"{outcome.lane}: ended by itself:\n{tail}" for outcome in outcomes for tail in outcome.exits]
    return "\n".join(lines)


def places(outcomes: Sequence[Outcome]) -> str:
    """Steps under way at the kills, by how many."""
    lines = []
    for slot in ("write", "rollup", "commit"):
        counted = Counter(kill.now[slot] for outcome in outcomes for kill in outcome.kills)
        lines.append(f"{slot}: " + ", ".join(f"{step} {count}" for step, count in counted.most_common()))
    return "\n                 ".join(lines)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie; 0 when there is none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
