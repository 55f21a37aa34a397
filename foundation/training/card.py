"""Writes the model card beside an exported network: what it is, learned from, and cannot do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freeavatar.foundation.expression import GROUPS
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.model_cards import QUALITY_BEGIN, QUALITY_END

from .checkpoints import State
from .export import Exported
from .person_directions import DIRECTIONS
from .quantise import Quantised


def write_card(
    exported: Exported, net: ExpressionNet, state: State, quantised: Quantised | None = None
) -> Path:
    """Write ``NAME.md`` beside ``NAME.onnx``.

    Args:
        exported: what was written.
        quantised: its eight-bit copy, which then has the name.
        net: the network.
        state: of the checkpoint; figures are those of its validation.

    Returns:
        The card's path.
    """
    path = (quantised or exported).path.with_suffix(".md")
    path.write_text("\n".join(_lines(exported, net, state, quantised)) + "\n")
    return path


def _lines(
    exported: Exported, net: ExpressionNet, state: State, quantised: Quantised | None
) -> list[str]:
    parameters = sum(p.numel() for p in net.parameters())
    encoder = net.config.encoder
    facts = state.facts
    return [
        f"# {(quantised or exported).path.name}",
        "",
        "Reads a face's expression from an aligned crop: 52 ARKit blendshapes, gaze, head rotation "
        "and place, 156 face points, confidence, a 64-D embedding of the expression.",
        "",
        f"- Architecture: convolutional stem, {encoder.depth} transformer blocks {encoder.dim} "
        f"wide, {encoder.tokens} tokens; {parameters / 1e6:.2f} M parameters; configuration "
        f"{net.config.digest()}",
        *_eight_bits(quantised),
        f"- File {exported.path.name}: {exported.bytes / 1e6:.1f} MB; differs from the trained "
        f"network by at most {exported.difference:.1e} (tokens {exported.tokens_difference:.1e}); "
        f"{exported.milliseconds:.2f} ms a crop on one thread where it was exported",
        f"- Trained on {state.samples:,} pictures in {state.seconds / 3600:.2f} h; pretrained as "
        f"masked autoencoder: {'yes' if facts.get('mae') else 'no'}; contrastive loss: "
        f"{facts.get('contrastive', 'unknown')}",
        *_start(facts.get("start"), facts.get("averaged")),
        *_readout(facts.get("readout")),
        *_scales(facts),
        f"- Command: `{without_folders(facts.get('command', 'unknown'))}`",
        "- Licence: MIT; the data's licences are below",
        "",
        "## Data",
        "",
        *_data(facts.get("data", {})),
        *_fec(facts.get("fec", {})),
        "",
        "## Figures",
        "",
        "Of the averaged weights on validation people, who are in no training picture. They are "
        "rendered as the training pictures are: on real video expect less.",
        "",
        *_figures(facts.get("validation", {})),
        "",
        QUALITY_BEGIN,
        QUALITY_END,
        "",
        "## Limits",
        "",
        "- Labels come from renderings of a few head models; what their meshes cannot do (fine "
        "wrinkles, sticky lips, most tongue shapes) was not seen.",
        "- Real people in the portraits are mostly neutral or smiling; their other expressions are "
        "renderings of the same photo.",
        "- Children and people with facial differences or palsy are not in the data; see the "
        "balance above for who else is under-represented.",
        "- Blendshapes say how a face moves, not what a person feels; do not judge people by them.",
    ]


def _eight_bits(quantised: Quantised | None) -> list[str]:
    if quantised is None:
        return []
    names = ("correlation", "mean absolute error", "landmarks, px")
    lost = (f"{n} {quantised.before[n]:.3f} to {quantised.after[n]:.3f}" for n in names)
    return [
        f"- File {quantised.path.name}: {quantised.bytes / 1e6:.1f} MB; the same network in eight "
        f"bits, which changes {', '.join(lost)} on the validation pictures"
    ]


def _readout(readout: Mapping[str, Any] | None) -> list[str]:
    if not readout:
        return []
    return [
        f"- Layers that read the expression trained once more, on {readout['views']:,} views of "
        f"{readout['pictures']:,} augmented faces that the finished encoder had seen"
    ]


def _scales(facts: Mapping[str, Any]) -> list[str]:
    if not facts.get("calibrated"):
        return []
    lines = ["- Blendshapes put on their scales by the validation people, on whom the figures are"]
    if freed := facts.get("freed"):
        lines.append(
            f"- {DIRECTIONS} directions that tell people apart were taken out of the embedding, "
            f"found on {freed:,} training pictures"
        )
    return lines


def _start(start: Mapping[str, Any] | None, averaged: Mapping[str, Any] | None) -> list[str]:
    if not start:
        return []
    lines = [
        f"- Went on from the weights of `{start['file']}`, which had been trained on "
        f"{start['samples']:,} pictures before these"
    ]
    if averaged:
        lines.append(f"- Each weight is the mean of the run's and of that in `{averaged['file']}`")
    return lines


def _data(data: Mapping[str, Any]) -> list[str]:
    out = []
    for name, facts in data.items():
        manifest = facts.get("manifest") or {}
        out.append(
            f"- **{name}**: {facts['samples']:,} training pictures, weight {facts['weight']:g}"
        )
        out += [f"  - licence: {line}" for line in manifest.get("licence", [])]
        out += [f"  - made with `{without_folders(line)}`" for line in manifest.get("commands", [])]
        balance = manifest.get("splits", {}).get("train", {}).get("balance", {})
        for key, counts in balance.items():
            if isinstance(counts, Mapping):
                total = sum(counts.values()) or 1
                shares = (f"{k} {100 * n / total:.0f} %" for k, n in counts.items())
                out.append(f"  - {key}: {', '.join(shares)}")
            else:
                out.append(f"  - {key}: {counts}")
    return out or ["Unknown."]


def _fec(folders: Mapping[str, Any]) -> list[str]:
    return [
        f"- **{name}** (FEC, facial expression comparison): {facts['triplets']:,} triplets of "
        f"{facts['crops']:,} photographs that people have compared, {100 * facts['part']:.0f} % of "
        "each batch, for the embedding alone\n"
        "  - licence: the photographs are those of others, each under its own terms"
        for name, facts in folders.items()
    ]


def _figures(figures: Mapping[str, Any]) -> list[str]:
    if not figures:
        return ["None: this checkpoint was not validated."]
    out = ["| group | correlation | mean absolute error |", "|---|---|---|"]
    for label, suffix in [("all live channels", ""), *((g, f" of {g}") for g in GROUPS)]:
        correlation = figures.get(f"correlation{suffix}")
        error = figures.get(f"error{suffix}" if suffix else "mean absolute error")
        out.append(f"| {label} | {_number(correlation)} | {_number(error)} |")
    shown = ("landmarks, px", "gaze, degrees", "head, degrees", "place, px", "amplitude",
             "faces told", "triplets")  # fmt: skip
    out += ["", *(f"- {name}: {_number(figures.get(name))}" for name in shown)]
    channels = figures.get("channels", {})
    weak = [f"{name} {value:.2f}" for name, value in channels.items() if value < 0.6]
    out += ["", f"Channels below 0.6: {', '.join(weak) or 'none'}."]
    return out


def without_folders(command: str) -> str:
    """A command with names in the place of paths: where things lay is nobody's business."""
    return " ".join(word.rstrip("/").rpartition("/")[2] for word in command.split())


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
