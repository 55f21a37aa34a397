"""The model card of the animator."""

from collections.abc import Mapping
from typing import Any

from freeavatar.animator.animator_export import Exported
from freeavatar.animator.animator_net import AnimatorNet
from freeavatar.foundation.training.card import without_folders
from freeavatar.foundation.training.checkpoints import State

FIGURES = ("weight error", "motion error", "faceless weight error", "unsteadiness", "calm")


def animator_card(exported: Exported, net: AnimatorNet, state: State) -> str:
    """What the network is, what it learned from, how it does and what it cannot do.

    Args:
        exported: what was written.
        net: the network.
        state: of the checkpoint; figures are those of its validation.
    """
    facts = state.facts
    lines = [
        "# animator.onnx, animator_rig.onnx",
        "",
        "Turns what the foundation reads in a face into the controls of any rig, by what each "
        "control does; names are not looked at. The first file runs once a frame, the second once "
        "a rig.",
        "",
        *_network(exported, net),
        f"- Trained on {state.samples:,} frames in {state.seconds / 3600:.2f} h; perceptual loop: "
        f"{'yes' if facts.get('perceptual') else 'no'}",
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
        "person's own ARKit shapes; in brackets the nameless solver. Real rigs: see `freeavatar "
        "eval animator`.",
        "",
        *_figures(facts.get("validation", {})),
        "",
        "## Limits",
        "",
        "- What counts as right is least squares over a face's skin and tongue: an artist may well "
        "prefer another combination.",
        "- Sequences of four frames are mixed from single pictures: it knows no habits of motion.",
        "- A rig without face points is understood by drawings alone, which say less.",
    ]
    return "\n".join(lines) + "\n"


def _network(exported: Exported, net: AnimatorNet) -> list[str]:
    parameters, config = sum(p.numel() for p in net.parameters()), net.config
    return [
        f"- Architecture: {config.layers} decoder layers {config.dim} wide, injected by an "
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
