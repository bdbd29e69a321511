"""The report of `make bench`: a Markdown table for each question, and a plot."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

NAMES = {
    "none": "no package",
    "ours": "**live_single_session**",
    "preventconcurrent": "django-preventconcurrentlogins",
    "single_session": "django-single-session",
    "usersessions": "allauth usersessions, with activity",
    "bare": "bare Channels consumer",
}


def write(found: dict[str, Any], folder: Path) -> None:
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`. Medians, with the middle half of the values in brackets.",
        "Pages, sign-ins, pushes and tokens were measured in turns and in random order; a",
        "ratio is the median of the ratios of the rounds. Where the time of a sign-in goes,",
        "idle sockets and servers were measured once, one after the other. The load average",
        "that stands beside a table counts the benchmark's own programs, too.",
        "",
    ]
    sections = {
        "http": _http,
        "page": _page,
        "login": _login,
        "push": _push,
        "sockets": _sockets,
        "servers": _servers,
        "tokens": _tokens,
        "click": _click,
    }
    for part, section in sections.items():
        if part in found:
            lines += [*section(found[part]["found"]), _machine(found[part]["machine"]), ""]
    (folder / "bench.md").write_text("\n".join(lines))
    _plot(found, folder / "bench.png")


def _machine(machine: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return (
        f"<sub>{machine['date']}; {machine['cores']} cores ({machine['processor']}), "
        f"{machine['memory GB']} GB, {machine['system']}, Python {machine['python']}, "
        f"PostgreSQL {machine['postgres']}, Redis {machine['redis-server']}, {packages}; "
        f"load average at the beginning: {machine['load']}</sub>"
    )


def _table(heads: list[str], rows: Iterable[list[Any]]) -> list[str]:
    align = ["---", *["---:"] * (len(heads) - 1)]
    return [_row(heads), _row(align), *map(_row, rows), ""]


def _row(cells: list[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _with_spread(value: dict[str, float], digits: int = 1) -> str:
    return (
        f"{value['median']:.{digits}f} ({value['q1']:.{digits}f} to {value['q3']:.{digits}f})"
    )


def _http(found: dict[str, Any]) -> list[str]:
    lines = ["## A request", ""]
    for engine, measured in found.items():
        loads = measured["loads"]
        for page, variants in measured["pages"].items():
            lines += [f"`{engine}`, {page} (load {min(loads)} to {max(loads)}):", ""]
            lines += _table(
                [
                    "",
                    "requests per second",
                    "ratio",
                    "CPU ms per request",
                    "ratio",
                    "p50 ms",
                    "p99 ms",
                    "queries",
                    "cache round trips",
                ],
                (
                    [
                        NAMES[variant],
                        _with_spread(of["per second"], 0),
                        _with_spread(of["throughput ratio"], 2),
                        _with_spread(of["cpu ms"], 2),
                        _with_spread(of["cpu ratio"], 2),
                        f"{of['p50 ms']['median']:.1f}",
                        f"{of['p99 ms']['median']:.1f}",
                        of["queries"],
                        of["cache round trips"],
                    ]
                    for variant, of in variants.items()
                ),
            )
    return lines


def _page(found: dict[str, Any]) -> list[str]:
    heads = ["", "no package", "with the package", "ratio"]
    rows = [
        [
            f"`{engine}`, {page}",
            _with_spread(of["none"], 2),
            _with_spread(of["ours"], 2),
            _with_spread(of["ratio"], 3),
        ]
        for engine, pages in found["engines"].items()
        for page, of in pages.items()
    ]
    return [
        "## A request, in one process that has the package and has it not by turns",
        "",
        f"CPU ms per request, {found['requests']} in a row (load {found['load']}):",
        "",
        *_table(heads, rows),
    ]


def _login(found: dict[str, Any]) -> list[str]:
    lines = ["## A sign-in", ""]
    for crowd, measured in _crowds(found):
        lines += _sign_ins(f"With {int(crowd):,} other sessions", measured)
    lines += _sign_ins("With Django's own password hasher", found["hashed"])
    return lines + _where(found["where"])


def _sign_ins(title: str, measured: dict[str, Any]) -> list[str]:
    return [
        f"{title} (load {measured['load']}):",
        "",
        *_table(
            ["", "ms", "ratio", "CPU ms", "queries"],
            (
                [
                    NAMES[variant],
                    _with_spread(of["ms"]),
                    _with_spread(of["ratio"], 2),
                    f"{of['cpu ms']:.1f}",
                    of["queries"],
                ]
                for variant, of in measured["variants"].items()
            ),
        ),
    ]


def _crowds(found: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, measured) for name, measured in found.items() if name.isdecimal()]


def _where(found: dict[str, Any]) -> list[str]:
    """Where the time of a sign-in goes, in one process and without a server."""
    lines = []
    for variant, steps in found.items():
        total = sum(built + ran for _, built, ran in steps)
        lines += [f"Where it goes, {NAMES[variant]}: {total:.1f} ms", ""]
        lines += _table(
            ["", "before it, ms", "the query, ms", "share"],
            (
                [what, f"{built:.2f}", f"{ran:.2f}", f"{100 * (built + ran) / total:.0f} %"]
                for what, built, ran in steps
            ),
        )
    return lines


def _push(found: dict[str, Any]) -> list[str]:
    rows = []
    for layer, crowds in found.items():
        for others, measured in crowds.items():
            bare, ours = measured["variants"]["bare"], measured["variants"]["ours"]
            rows.append(
                [
                    f"{layer}, {int(others):,} others",
                    _with_spread(bare["ms"]),
                    _with_spread(ours["ms"]),
                    _with_spread(ours["ratio"], 2),
                    _with_spread(ours["added ms"]),
                    f"{bare['login ms']['median']:.1f} / {ours['login ms']['median']:.1f}",
                    measured["load"],
                ]
            )
    heads = [
        "",
        "bare Channels, ms",
        "live_single_session, ms",
        "ratio",
        "added ms",
        "until the login is answered, ms",
        "load",
    ]
    return [
        "## A push: from the login being sent to the frame at the old tab",
        "",
        "The bare consumer is sent to from the same signal, but nothing is recorded, and no",
        "session ends: what is added is the registry's transaction.",
        "",
        *_table(heads, rows),
    ]


def _sockets(found: dict[str, Any]) -> list[str]:
    heads = ["", "KiB", "ratio", "CPU ms to open", "CPU % of a core, all of them idle", "ratio"]
    cases = {k: v for k, v in found.items() if isinstance(v, dict)}
    rows = [
        [
            case,
            f"{of['KiB for each']:.1f}",
            f"{of['memory ratio']:.2f}" if "memory ratio" in of else "",
            f"{of['cpu ms to open']:.1f}",
            f"{of['cpu percent idle']:.2f}",
            f"{of['idle ratio']:.2f}" if "idle ratio" in of else "",
        ]
        for case, of in cases.items()
    ]
    idle = f"{found['idle seconds']:g} s idle, load {found['load']}"
    return [f"## An idle socket, of {found['sockets']:,} ({idle})", "", *_table(heads, rows)]


def _servers(found: dict[str, Any]) -> list[str]:
    rows = []
    for name, of in found.items():
        if isinstance(of, dict):
            taken = of["offered"]["compressed"]
            rows.append(
                [
                    name,
                    f"{of['not offered']['KiB for each']:.1f}",
                    f"{of['offered']['KiB for each']:.1f}",
                    "yes" if taken else "no",
                ]
            )
    heads = ["", "KiB, not offered", "KiB, offered", "does the server compress?"]
    return [
        f"## An idle socket behind each server, of {found['sockets']:,} (load {found['load']})",
        "",
        "The package's own socket, with its Python objects in one process, where the client",
        "offers compression, as browsers do, and where it doesn't.",
        "",
        *_table(heads, rows),
    ]


def _tokens(found: dict[str, Any]) -> list[str]:
    heads = ["", "requests per second", "ratio", "CPU ms per request", "ratio"]
    rows = [
        [
            name,
            _with_spread(of["per second"], 0),
            _with_spread(of["throughput ratio"], 2),
            _with_spread(of["cpu ms"], 2),
            _with_spread(of["cpu ratio"], 2),
        ]
        for name, of in found.items()
        if isinstance(of, dict)
    ]
    return [f"## A request with a token (load {found['load']})", "", *_table(heads, rows)]


def _click(found: dict[str, Any]) -> list[str]:
    shown, told = found["shown"], found["told"]
    return [
        "## From the click to the dialog, in a real browser",
        "",
        f"{_with_spread(shown, 0)} ms in Chromium {found['chromium']}, on the site's machine "
        f"(load {found['load']}, {shown['n']} times). The old page was told after "
        f"{_with_spread(told, 0)} ms.",
        "",
    ]


def _plot(found: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, ((requests, logins), (pushes, memory)) = pyplot.subplots(2, 2, figsize=(12, 8))
    if "http" in found:
        _plot_http(requests, found["http"]["found"])
    if "login" in found:
        _plot_login(logins, found["login"]["found"])
    if "push" in found:
        _plot_push(pushes, found["push"]["found"])
    if "sockets" in found:
        cases = {k: v for k, v in found["sockets"]["found"].items() if isinstance(v, dict)}
        colors = ["C0", "C1", "C0", "C1"]  # bare ones, and ours
        memory.barh(list(cases), [of["KiB for each"] for of in cases.values()], color=colors)
        memory.invert_yaxis()
        memory.set_title("memory of an idle socket, KiB")
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _plot_http(axes: Any, found: dict[str, Any]) -> None:
    """CPU time per request, beside no package: what other programs do disturbs it least."""
    pages = found["db"]["pages"]
    variants = list(pages["async view"])
    for number, variant in enumerate(variants):
        ratios = [of[variant]["cpu ratio"] for of in pages.values()]
        places = [place + 0.15 * number for place in range(len(pages))]
        axes.bar(
            places,
            [ratio["median"] for ratio in ratios],
            0.14,
            label=NAMES[variant].strip("*"),
            yerr=[
                [ratio["median"] - ratio["q1"] for ratio in ratios],
                [ratio["q3"] - ratio["median"] for ratio in ratios],
            ],
        )
    axes.set_xticks([place + 0.3 for place in range(len(pages))], list(pages))
    axes.axhline(1, color="grey", linewidth=0.5)
    axes.set_title("CPU time of a request, beside no package (db)")
    axes.legend(fontsize=7)


def _plot_login(axes: Any, found: dict[str, Any]) -> None:
    crowds = [name for name, _ in _crowds(found)]
    for variant in found[crowds[0]]["variants"]:
        medians = [found[crowd]["variants"][variant]["ms"]["median"] for crowd in crowds]
        axes.plot(
            [f"{int(c):,}" for c in crowds], medians, "o-", label=NAMES[variant].strip("*")
        )
    axes.set_ylim(bottom=0)
    axes.set_title("a sign-in, ms, by the number of other sessions")
    axes.legend(fontsize=7)


def _plot_push(axes: Any, found: dict[str, Any]) -> None:
    for number, (layer, crowds) in enumerate(found.items()):
        places = [f"{int(crowd):,}" for crowd in crowds]
        for variant, style in (("bare", "o--"), ("ours", "o-")):
            taken = [of["variants"][variant]["ms"] for of in crowds.values()]
            name, color = f"{layer}, {NAMES[variant].strip('*')}", f"C{number}"
            axes.plot(places, [ms["median"] for ms in taken], style, color=color, label=name)
            low, high = [ms["q1"] for ms in taken], [ms["q3"] for ms in taken]
            axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
    axes.set_ylim(bottom=0)
    axes.set_title("login to old tab, ms, by the number of other sockets")
    axes.legend(fontsize=7)
