"""freeavatar eval quality: how good are the curves? One report, every reader in the same tables."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .build_shards import explained
from .evaluate_clips import cache_folder, clip_paths, measure, open_readers
from .evaluate_foundation import (
    OURS,
    clip_sections,
    figures_on_shards,
    open_models,
    pairs_of,
    split_folders,
)
from .quality_options import EPILOG, add_quality_options
from .torch_first import import_torch

if TYPE_CHECKING:
    from freeavatar.foundation.expression import Reader

    from .evaluation.rendered_actors import Actor
    from .evaluation.rendered_tables import RenderedReport
    from .evaluation.report import Section

    Readers = Mapping[str, Callable[[], Reader]]
    Part = tuple[list[Section], dict[str, Any]]

QUICK_FRAMES, QUICK_PICTURES = 24, 300
CLIPS = (
    "emotions_pexels",
    "neutral_to_smile",
    "face_leaves",
    "webcam_53s",
    "intel_head-pose-face-detection-female-and-male",
)
"""Clips of the shared data that are measured; of a folder that has none of them, all are."""
WITHOUT_CLIPS = (
    "not measured: no --data has clips/; name the folder with the shared clips, rigs and faces"
)
WITHOUT_SHARDS = (
    "not measured: no --data has test-*.tar; make them by `freeavatar data puppets --split test` "
    "and `freeavatar data avatars --split test`, and name both folders"
)


def add_quality(kinds: Any) -> None:
    """Add ``eval quality`` to the command line."""
    p = kinds.add_parser(
        "quality",
        help="how good are the curves? rendered actors, real clips, embedding in one report",
        description="Measure the curves beside earlier weights and MediaPipe, in one report.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_quality_options(p)
    p.set_defaults(run=run, mae=[])


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    import_torch()
    from .evaluation.cards import block_lines, check_markers, write_block
    from .evaluation.quality_verdict import quality_verdicts
    from .evaluation.report import Section, write_report
    from .evaluation.shards import test_shards

    shards, args.data = split_folders(args.data)
    if args.quick:
        args.frames, args.limit = min(args.frames, QUICK_FRAMES), min(args.limit, QUICK_PICTURES)
    # What is missing is said before minutes of work.
    cards = _cards(args)
    check_markers(cards)
    if shards:
        test_shards(shards)
    readers = _readers(args)
    sections: list[Section] = []
    figures: dict[str, Any] = {"weights_mb": _megabytes()}
    for part in (
        _on_actors(args, readers),
        _on_clips(args, readers),
        _on_embedding(args, shards),
    ):
        sections += part[0]
        figures |= part[1]
    judged = quality_verdicts(figures, next(iter(readers)))
    figures["verdicts"] = [{"what": v.what, "holds": v.holds} for v in judged]
    sections.insert(0, Section(title="What must hold", lines=[v.line for v in judged]))
    write_report(args.html, "How good the curves are", sections)
    for path in cards:
        write_block(path, block_lines(figures, command=_command(args, shards), machine=_machine()))
    _print(args, sections, figures)
    for path in (args.html, *cards):
        print(path, file=sys.stderr)
    return 0


def _print(
    args: argparse.Namespace, sections: "Sequence[Section]", figures: Mapping[str, Any]
) -> None:
    if args.json:
        print(json.dumps(figures, indent=1))
        return
    for section in sections:
        if section.lines:
            print(f"{section.title}\n{chr(10).join(section.lines)}\n")


def _cards(args: argparse.Namespace) -> list[Path]:
    """The documents that get the tables.

    Raises:
        SourceError: they were asked for in a quick run, whose figures are too few to be told.
    """
    from freeavatar.foundation.errors import SourceError
    from freeavatar.foundation.onnx_session import WEIGHTS

    if args.cards is None:
        return []
    if args.quick:
        raise SourceError("--cards tells what a whole run measured: leave --quick out")
    return args.cards or [WEIGHTS / "expression.md", WEIGHTS.parents[1] / "docs" / "training.md"]


def _readers(args: argparse.Namespace) -> "Readers":
    """Ours first, the yardstick last."""
    return {OURS if n == "embedded" else n: make for n, make in open_readers(args).items()}


def _on_actors(args: argparse.Namespace, readers: "Readers") -> "Part":
    """The parts of the report on rendered actors, and the figures."""
    from freeavatar.rigs import registry

    from .evaluation.sheets import RIGS

    report = rendered_report(args, readers)
    sections = report.sections()
    if not args.quick:
        sections.append(report.sheet_section(registry.load(RIGS[0])))
    return sections, {"rendered": report.summary()}


def rendered_report(args: argparse.Namespace, readers: "Readers") -> "RenderedReport":
    """Let every actor perform, and every reader read.

    Raises:
        RigError: a rig cannot perform.
        BridgeError, SourceError: a take cannot be used.
        RenderError: no OpenGL is to be had.
    """
    from tqdm import tqdm

    from .evaluation.known_curves import actor_figures
    from .evaluation.rendered_actors import sampled
    from .evaluation.rendered_tables import RenderedReport

    moments, actors = sampled(_takes(args), args.frames), _actors(args)
    steps = 3 * len(readers) * len(actors)
    with tqdm(desc="rendered actors", total=steps, disable=None, file=sys.stderr) as bar:
        figures = [actor_figures(actor, moments, readers, tick=bar.update) for actor in actors]
    return RenderedReport(actors=figures, readers=list(readers), frames=len(moments.times))


def _actors(args: argparse.Namespace) -> "list[Actor]":
    """The rigs that were named, else all that there are and the test people of the data."""
    from .evaluation.rendered_actors import actor_names, load_actor

    names = list(dict.fromkeys(args.actor or actor_names(args.data)))
    actors: list[Actor] = [load_actor(name) for name in names]
    if args.actor or args.data is None or not (args.data / "synth").is_dir():
        return actors
    from freeavatar.foundation.bundle import find_bundle

    from .evaluation.rendered_people import people_actors

    bundle = find_bundle(args.mediapipe_bundle)
    with explained():
        people = people_actors(args.data / "synth", bundle, cache_folder(args.cache))
    return [*actors, *people]


def _takes(args: argparse.Namespace) -> list[Path]:
    from .inputs import DEMO_TAKE

    if args.curves:
        return list(args.curves)
    shared = [] if args.data is None else sorted((args.data / "curves").glob("alex_rom_*.csv"))
    return shared or [DEMO_TAKE]


def _on_clips(args: argparse.Namespace, readers: "Readers") -> "Part":
    """The parts on real clips, the finder and speed, and the figures."""
    from .evaluation.report import Section

    if args.data is None:
        return [Section(title="Clips", lines=[WITHOUT_CLIPS])], {}
    every = clip_paths([], args.data)
    paths = [path for path in every if Path(path).stem in CLIPS] or every
    report = measure(args, paths, readers)
    sections, figures = clip_sections(report), {"clips": report.figures()}
    if args.quick:
        return sections, figures
    from freeavatar.foundation.bundle import find_bundle

    from .evaluation.foundation_tables import plain
    from .evaluation.runtime_sections import runtime_sections
    from .evaluation.sheets import sheets

    shown = [p for p, clip in zip(paths, report.clips, strict=True) if clip.counted]
    ours = dict([next(iter(readers.items()))])
    pictures = [sheet for _, sheet in sheets(shown, ours)]
    sections.append(Section(title="Contact sheets", pictures=pictures))
    bundle = find_bundle(args.mediapipe_bundle)
    more, known = runtime_sections(args.data, bundle, cache_folder(args.cache))
    return sections + more, figures | plain(known)


def _on_embedding(args: argparse.Namespace, shards: Sequence[Path]) -> "Part":
    """The part on the embedding, and the figures."""
    from dataclasses import asdict

    from .evaluation.foundation_tables import pair_lines, plain, triplet_lines
    from .evaluation.report import Section
    from .evaluation.retrieval import all_retrievals, retrieval_lines, retrieval_summary

    lines, known = [WITHOUT_SHARDS], {}
    if shards:
        figures = figures_on_shards(args, shards)
        embeddings = {name: p.embedding for name, p in figures.given.items()}
        found = all_retrievals(figures.truth, embeddings)
        lines = [*triplet_lines(figures), "", *retrieval_lines(found)]
        known = {
            "similarity": {n: plain(asdict(s)) for n, s in figures.similarity.items()},
            "retrieval": retrieval_summary(found),
        }
        pairs = figures.pairs
    else:
        pairs = pairs_of(args, open_models(args))
    if pairs:
        lines += ["", *pair_lines(pairs)]
        known["real_pairs"] = {name: plain(asdict(p)) for name, p in pairs.items()}
    return [Section(title="Embedding", lines=lines)], known


def _megabytes() -> float:
    """Of all networks of the embedded reader that ship."""
    from freeavatar.foundation.onnx_session import WEIGHTS

    return sum(path.stat().st_size for path in WEIGHTS.glob("*.onnx")) / 1e6


def _command(args: argparse.Namespace, shards: Sequence[Path]) -> str:
    """As it was typed, without the places of files on this machine."""
    folders = [*(path.name for path in shards), *([] if args.data is None else ["SHARED"])]
    words = [f"freeavatar eval quality --frames {args.frames}"]
    words += [f"--data {name}" for name in folders]
    words += [f"--limit {args.limit}"] if shards else []
    words += [f"--curves {path.name}" for path in args.curves or ()]
    words += [f"--actor {Path(name).name}" for name in args.actor or ()]
    words += [f"--weights {name}={path.name}" for name, path in args.weights]
    return " ".join(words)


def _machine() -> str:
    import os
    import platform

    return f"{platform.system()} {platform.machine()} with {os.cpu_count()} cores"
