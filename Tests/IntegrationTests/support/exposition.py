"""A strict reader of Prometheus' text format 0.0.4: what a lenient scraper would forgive fails here."""

import re
from dataclasses import dataclass, field

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? ([^ ]+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")


@dataclass
class Family:
    name: str
    kind: str = ""
    help: str = ""
    samples: dict = field(default_factory=dict)
    """(sample's name, sorted label pairs) to its value."""


def read(text):
    """Name to `Family`; an AssertionError for what the format does not allow."""
    assert text.endswith("\n"), "the last line must end"
    families = {}
    current = None
    for line in text.splitlines():
        if not line:
            continue
        if line.startswith("#"):
            word, name, rest = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.*)", line).groups()
            if name not in families:
                families[name] = Family(name)
            assert not families[name].samples, f"{word} after the samples of {name}"
            current = families[name]
            if word == "TYPE":
                assert rest in TYPES and not current.kind, line
                current.kind = rest
            else:
                assert not current.help, f"two HELP lines for {name}"
                current.help = rest
            continue
        match = SAMPLE.fullmatch(line)
        assert match, f"not a sample: {line!r}"
        name, labels, value = match.groups()
        assert current and belongs(name, current), f"{name} stands under {current and current.name}"
        key = name, tuple(sorted(read_labels(labels or "", line)))
        assert key not in current.samples, f"given twice: {line}"
        current.samples[key] = float(value.replace("Inf", "inf"))
    for family in families.values():
        assert family.kind, f"{family.name} has no TYPE"
        if family.kind == "histogram":
            check_histogram(family)
    return families


def belongs(name, family):
    suffixes = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}.get(family.kind, ("",))
    return any(name == family.name + suffix for suffix in suffixes)


def read_labels(text, line):
    found, position = [], 0
    while position < len(text):
        match = LABEL.match(text, position)
        assert match, f"labels of {line!r}"
        found.append((match[1], re.sub(r"\\(.)", lambda each: {"n": "\n"}.get(each[1], each[1]), match[2])))
        position = match.end()
    assert len({name for name, _ in found}) == len(found), f"a label twice: {line!r}"
    return found


def check_histogram(family):
    series = {}
    for (name, labels), value in family.samples.items():
        if name.endswith("_bucket"):
            bound = float(dict(labels)["le"].replace("Inf", "inf"))
            rest = tuple(pair for pair in labels if pair[0] != "le")
            series.setdefault(rest, []).append((bound, value))
    for labels, buckets in series.items():
        buckets.sort()
        values = [value for _, value in buckets]
        assert values == sorted(values), f"buckets of {family.name} fall: {buckets}"
        assert buckets[-1][0] == float("inf"), f"{family.name} has no +Inf bucket"
        assert family.samples[family.name + "_count", labels] == values[-1], f"count of {family.name}"
        assert (family.name + "_sum", labels) in family.samples


def total(families, name, **labels):
    """The sum of a family's samples that carry `labels`."""
    wanted = set(labels.items())
    return sum(
        value for (sample, found), value in families[name].samples.items()
        if sample == name and wanted <= set(found))
