"""freeavatar eval foundation: how exactly the networks read faces whose truth is known."""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import whole_number
from .evaluate_clips import (
    add_clip_options,
    cache_folder,
    clip_paths,
    measure,
    named_file,
    open_readers,
)
from .torch_first import import_torch

if TYPE_CHECKING:
    from .evaluate_clips import ClipReport
    from .evaluation.foundation_tables import Figures
    from .evaluation.predictions import Model, Predictions
    from .evaluation.report import Section
    from .evaluation.shards import Truth
    from .evaluation.similarity import Probe, RealPairs

EPILOG = """\
The pictures are those of people and characters that no network has learned from: the test-*.tar
that `freeavatar data` writes. MediaPipe reads the same pictures, enlarged so that it finds the
face. A further folder with clips/ is measured as by `freeavatar eval clips`, and smiles of real
test people in its faces/webmorph.

examples:
  freeavatar eval foundation --data data/puppets --data data/avatars
  freeavatar eval foundation --data data/puppets --weights previous=old/expression.onnx
  freeavatar eval foundation --data data/puppets --mae mae.safetensors --data ../shared/data
"""
OURS, MEDIAPIPE = "ours", "mediapipe"


def add_foundation(kinds: Any) -> None:
    """Add ``eval foundation`` to the command line."""
    p = kinds.add_parser(
        "foundation",
        help="the networks on test pictures: curves, head, gaze, embedding",
        description="Measure the embedded networks on test pictures, beside MediaPipe.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--data",
        action="append",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="with test-*.tar, or with clips/, rigs/ and faces/; may be repeated",
    )
    p.add_argument(
        "--limit",
        type=whole_number(50, math.inf),
        default=2000,
        metavar="N",
        help="pictures that are read (default: %(default)s)",
    )
    p.add_argument(
        "--mae",
        action="append",
        default=[],
        type=named_file,
        metavar="[NAME=]FILE",
        help="network before tuning (.safetensors checkpoint of the masked autoencoder, or .onnx), "
        "whose tokens are probed for who is seen",
    )
    p.add_argument(
        "--html",
        type=Path,
        default=Path("foundation-report.html"),
        metavar="FILE",
        help="the report (default: %(default)s)",
    )
    add_clip_options(p)
    p.add_argument("--json", action="store_true", help="figures for scripts")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    import_torch()
    from .evaluation.foundation_tables import plain
    from .evaluation.report import Section, write_report
    from .evaluation.verdict import verdicts

    shards, args.data = split_folders(args.data)
    # Opened first: what is missing is said before minutes of work.
    readers = {} if args.data is None else open_readers(args, strict=False)
    figures = figures_on_shards(args, shards)
    sections = figures.sections()
    sections += _example_section(figures)
    summary = figures.summary()
    if args.data is not None:
        clips = measure(args, clip_paths([], args.data), readers)
        sections += clip_sections(clips)
        summary["clips"] = clips.figures()
    if args.data is not None and not args.quick:
        from freeavatar.foundation.bundle import find_bundle

        from .evaluation.runtime_sections import runtime_sections

        bundle = find_bundle(args.mediapipe_bundle)
        more, known = runtime_sections(args.data, bundle, cache_folder(args.cache))
        sections += more
        summary |= plain(known)
    judged = [v.line for v in verdicts(summary)]
    if judged:
        sections.insert(0, Section(title="What must hold", lines=judged))
    write_report(args.html, "Expression foundation model: figures", sections)
    if args.json:
        print(json.dumps(summary, indent=1))
    else:
        for section in sections:
            if section.lines:
                print(f"{section.title}\n{chr(10).join(section.lines)}\n")
    print(args.html, file=sys.stderr)
    return 0


def split_folders(folders: Sequence[Path]) -> tuple[list[Path], Path | None]:
    """Folders of shards, and the one with clips, if there is one.

    Raises:
        SourceError: two folders have clips.
    """
    from freeavatar.foundation.errors import SourceError

    with_clips = [f for f in folders if (f / "clips").is_dir()]
    if len(with_clips) > 1:
        raise SourceError("two of the folders have clips/: name one of them")
    return [f for f in folders if f not in with_clips], next(iter(with_clips), None)


def figures_on_shards(args: argparse.Namespace, shards: Sequence[Path]) -> "Figures":
    """Read the test pictures with every network and MediaPipe, and compute all figures."""
    from .evaluation.accuracy import accuracy
    from .evaluation.foundation_tables import BOTH, EVERY, Figures
    from .evaluation.predictions import averaged_too
    from .evaluation.shards import load_truth
    from .evaluation.similarity import all_triplets, similarity
    from .evaluation.verdict import AVERAGED

    with _bar("test pictures", None) as bar:
        truth = load_truth(shards, limit=args.limit, tick=lambda: bar.update())
    models = open_models(args)
    given = predict(truth, averaged_too(models, OURS), args.mediapipe_bundle)
    # The embedding of the averaged reading is that of ours.
    embedded = {name: p for name, p in given.items() if name != AVERAGED}
    both, drawn = given[MEDIAPIPE].found, all_triplets(truth)
    sets = {BOTH: both, EVERY: both | True}
    sets |= {str(d): both & (truth.domain == d) for d in sorted(set(truth.domain.tolist()))}
    return Figures(
        truth=truth,
        given=given,
        accuracy={
            where: {name: accuracy(truth, p, rows) for name, p in given.items()}
            for where, rows in sets.items()
        },
        similarity={name: similarity(drawn, p.embedding) for name, p in embedded.items()},
        probes=_probes(truth, embedded, dict(args.mae)),
        pairs=pairs_of(args, models),
    )


def open_models(args: argparse.Namespace) -> "dict[str, Model]":
    """Ours, then those named by --weights.

    Raises:
        ReaderError: a network is missing or damaged.
    """
    from freeavatar.foundation.errors import ReaderError
    from freeavatar.foundation.expression_model import ExpressionModel

    models: dict[str, Model] = {}
    try:
        models[OURS] = ExpressionModel()
    except ReaderError as error:
        if not args.weights:
            raise
        print(f"without the network that ships: {error}", file=sys.stderr)
    return models | {name: ExpressionModel(path) for name, path in args.weights}


def predict(
    truth: "Truth", models: "Mapping[str, Model]", bundle: Path | None
) -> "dict[str, Predictions]":
    """What every network, and MediaPipe, says of the test pictures."""
    from freeavatar.foundation.bundle import find_bundle

    from .evaluation.predictions import by_mediapipe, by_network

    given: dict[str, Predictions] = {}
    for name, model in models.items():
        with _bar(name, len(truth.pictures)) as bar:
            given[name] = by_network(model, truth.pictures, truth.faceless, tick=bar.update)
    with _bar(MEDIAPIPE, len(truth.pictures)) as bar:
        given[MEDIAPIPE] = by_mediapipe(
            find_bundle(bundle), truth.pictures, truth.faceless, tick=bar.update
        )
    return given


def _probes(
    truth: "Truth", given: "Mapping[str, Predictions]", before: Mapping[str, Path]
) -> "dict[str, Probe]":
    from .evaluation.predictions import features_of
    from .evaluation.similarity import identity_probe

    table = {}
    for name, p in given.items():
        label = "curves" if name == MEDIAPIPE else "embedding"
        table[f"{name}, {label}"] = identity_probe(p.embedding, truth.identity)
        if p.tokens is not None:
            table[f"{name}, mean token"] = identity_probe(p.tokens, truth.identity)
    for name, path in before.items():
        features = features_of(path, truth.pictures)
        table[f"{name}, before tuning"] = identity_probe(features, truth.identity)
    return table


def pairs_of(args: argparse.Namespace, models: "Mapping[str, Model]") -> "dict[str, RealPairs]":
    """Smiles of real test people, where the data folder has their portraits."""
    folder = None if args.data is None else args.data / "faces" / "webmorph"
    if folder is None or not folder.is_dir():
        return {}
    from freeavatar.foundation.bundle import find_bundle
    from freeavatar.foundation.mediapipe_reader import landmark_finder

    from .evaluation.portraits import load_portraits
    from .evaluation.predictions import by_mediapipe, by_network
    from .evaluation.similarity import real_pairs

    bundle = find_bundle(args.mediapipe_bundle)
    with _bar("portraits", None) as bar:
        portraits = load_portraits(folder, landmark_finder(bundle), tick=lambda: bar.update())
    nobody = portraits.neutral[:0]
    table = {}
    for name, model in models.items():
        neutral, smiling = (
            by_network(model, pictures, nobody).embedding
            for pictures in (portraits.neutral, portraits.smiling)
        )
        table[name] = real_pairs(neutral, smiling)
    neutral, smiling = (
        by_mediapipe(bundle, pictures, nobody).embedding
        for pictures in (portraits.neutral, portraits.smiling)
    )
    table[MEDIAPIPE] = real_pairs(neutral, smiling)
    return table


def _example_section(figures: "Figures") -> "list[Section]":
    from freeavatar.rigs import registry
    from freeavatar.rigs.errors import RenderError

    from .evaluation.examples import LICENCE, example_sheet
    from .evaluation.report import Section

    try:
        sheet = example_sheet(figures.truth, figures.given, registry.load("mannequin"))
    except RenderError as error:
        return [Section(title="Examples", note=f"not drawn: {error}")]
    return [] if sheet is None else [Section(title="Examples", note=LICENCE, pictures=[sheet])]


def clip_sections(report: "ClipReport") -> "list[Section]":
    """The tables on clips, and the curves of every aperture."""
    from freeavatar.foundation.apertures import APERTURES

    from .evaluation.charts import curves
    from .evaluation.report import Section

    plots = []
    for clip in report.clips:
        for i, aperture in enumerate(APERTURES if clip.counted else ()):
            lines = {"picture": clip.measured[:, i]}
            lines |= {name: clip.performed[name][:, i] for name in report.readers}
            plots.append(curves(clip.times, lines, title=f"{clip.name}: {aperture}"))
    return [Section(title="Clips", lines=report.lines(), plots=plots)]


def _bar(name: str, total: int | None) -> Any:
    from tqdm import tqdm

    return tqdm(desc=name, total=total, unit="picture", disable=None, file=sys.stderr)
