"""The model card of the animator."""

from collections.abc import Mapping
from typing import Any

from freeavatar.animator.animator_export import Exported
from freeavatar.animator.animator_net import AnimatorNet
from freeavatar.foundation.training.card import without_folders
from freeavatar.foundation.training.checkpoints import State

from .validation import ERRORS

FIGURES = (*ERRORS, "faceless weight error", "unsteadiness", "calm")


METHODS = {"animator": "animator", "nameless": "nameless solver", "named": "solver with names"}
MEASURED = {
    "mean": "motion of a known head",
    "own": "its own motion",
    "error": "error of the controls",
    "drawn": "distance of the expression",
}
"""Figures of ``freeavatar eval animator --json``, and what they are called."""


def animator_card(
    exported: Exported, net: AnimatorNet, state: State, real: Mapping[str, Any] | None = None
) -> str:
    """What the network is, what it learned from, how it does and what it cannot do.

    Args:
        exported: what was written.
        net: the network.
        state: of the checkpoint; figures are those of its validation.
        real: what ``freeavatar eval animator --json`` said of it.

    Raises:
        ValueError: ``real`` is something else.
    """
    facts = state.facts
    lines = [
        "# animator.onnx, animator_rig.onnx, animator.safetensors",
        "",
        "Turns what the foundation reads in a face into the controls of any rig, by what each "
        "control does; names are not looked at. The first file runs once a frame, the second once "
        "a rig; the third is the same network as torch has it, with which rigs are tuned.",
        "",
        *_network(exported, net),
        f"- Best after {state.samples:,} frames, {state.seconds / 3600:.2f} h; perceptual loop: "
        f"{'yes' if facts.get('perceptual') else 'no'}",
        *_started(facts.get("start")),
        *_averaged(facts.get("averaged")),
        f"- Command: `{without_folders(facts.get('command', 'unknown'))}`",
        "- Licence: MIT",
        "",
        "## Data",
        "",
        f"{facts.get('rigs', 0):,} rigs that nobody has made: people of ICT-FaceKit (MIT), "
        "MakeHuman (CC0, shapes MIT) and VALID (MIT) whose ARKit shapes or own expressions were "
        "merged, cut, opposed, combined, scaled, copied and left out at random. They show "
        f"{facts.get('faces', 0):,} faces of the foundation's training shards, each seen three "
        "times.",
        *_drawn(facts.get("drawn rigs", ())),
        "",
        "## Figures",
        "",
        f"On {facts.get('held rigs', 0):,} made-up rigs of people who lent no face to those "
        "trained on, showing validation people, against the weights that come closest to the same "
        "person's own ARKit shapes; in brackets the nameless solver.",
        "",
        *_figures(facts.get("validation", {})),
        *_real(real),
        "",
        "## Limits",
        "",
        "- What counts as right is least squares over a face's skin and tongue: an artist may well "
        "prefer another combination.",
        "- Sequences of four frames are mixed from single pictures: it knows no habits of motion.",
        "- It says means of what may be meant: large movements come out smaller than the solver's.",
        "- A rig without face points is understood by drawings alone, which say less.",
    ]
    return "\n".join(lines) + "\n"


def _started(start: Mapping[str, Any] | None) -> list[str]:
    if not start:
        return []
    return [
        f"- Went on from `{start['file']}`, which had been trained on {start['samples']:,} frames"
    ]


def _averaged(averaged: Mapping[str, Any] | None) -> list[str]:
    if not averaged:
        return []
    return [
        f"- What ships is the mean of the run's weights and of `{averaged['file']}`, trained on "
        f"{averaged['samples']:,} frames; the figures on made-up rigs are of the run's own"
    ]


def _real(real: Mapping[str, Any] | None) -> list[str]:
    if real is None:
        return ["", "Real rigs: see `freeavatar eval animator`."]
    try:
        rows = [
            f"| {rig} | {METHODS[method]} | "
            + " | ".join(_number(figures[name]) for name in MEASURED)
            + " |"
            for rig, methods in real["rigs"].items()
            for method, figures in methods.items()
        ]
        faces = int(real["faces"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"these are no figures of eval animator --json: {error}") from None
    return [
        "",
        f"On real rigs, with {faces} faces of test people (`freeavatar eval animator`): the "
        "correlation of the face points' motion with that of a known head and, where ARKit's names "
        "tell it, with the rig's own; mean error of the controls with these names; distance of "
        "what drawn rig and actor express. The nameless solver has the same information as the "
        "animator; the solver with names is what drives rigs with a complete set of ARKit names "
        "that were not tuned.",
        "",
        f"| rig | driven by | {' | '.join(MEASURED.values())} |",
        "|---|---|" + "---|" * len(MEASURED),
        *rows,
    ]


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"


def _network(exported: Exported, net: AnimatorNet) -> list[str]:
    parameters, config = sum(p.numel() for p in net.parameters()), net.config
    return [
        f"- Architecture: {config.layers} decoder layer(s) {config.dim} wide, injected by an "
        f"identity code of the rig (rank {config.rank}); {parameters / 1e6:.2f} M parameters; "
        f"configuration {config.digest()}",
        f"- Files: {exported.bytes / 1e6:.1f} MB; differ from the trained network by at most "
        f"{exported.difference:.1e}",
    ]


def _drawn(rigs: Any) -> list[str]:
    if not rigs:
        return []
    return [f"Drawn in the perceptual loop: {', '.join(rigs)}."]


def _figures(figures: Mapping[str, Any]) -> list[str]:
    if not figures:
        return ["None: this checkpoint was not validated."]
    return [
        f"- {name}: {figures[name]:.4f} ({figures[f'solver {name}']:.4f})"
        for name in FIGURES
        if name in figures
    ]
