"""The model card of the neural renderer."""

from pathlib import Path

from freeavatar.foundation.training.card import without_folders
from freeavatar.foundation.training.checkpoints import State
from freeavatar.renderer_net.export import Exported
from freeavatar.renderer_net.net import RendererNet
from freeavatar.rigs.built_in import BUILT_IN

FIGURES = (
    ("psnr", "PSNR, dB", "{:.1f}"),
    ("ssim", "SSIM", "{:.3f}"),
    ("features", "feature distance", "{:.3f}"),
    ("embedding", "embedding distance", "{:.3f}"),
    ("mask", "mask error", "{:.3f}"),
)


def write_card(exported: Exported, net: RendererNet, state: State) -> Path:
    """Write ``NAME.md`` beside the exported network.

    Args:
        exported: what was written.
        net: the network.
        state: of the checkpoint it is from.
    """
    path = exported.path.with_suffix(".md")
    path.write_text("\n".join(_lines(exported, net, state)) + "\n")
    return path


def _lines(exported: Exported, net: RendererNet, state: State) -> list[str]:
    parameters = sum(p.numel() for p in net.parameters())
    figures = state.facts.get("validation", {}).get("rigs", {})
    rigs = state.facts.get("rigs", {})
    # Of other rigs only who trained on them knows whose they are.
    owned = " The rigs are our own." if rigs.keys() <= BUILT_IN.keys() else ""
    return [
        f"# {exported.path.name}",
        "",
        "Draws any registered rig at 128 × 128 without OpenGL: moved surface points of the rig's "
        "reference pictures go in, the finished picture and the rig's mask come out.",
        "",
        f"- Architecture: U-Net of {parameters / 1e6:.2f} M parameters, widths "
        f"{', '.join(map(str, net.config.widths))}; light and rig by FiLM",
        f"- File: {exported.bytes / 1e6:.1f} MB; differs from the trained network by at most "
        f"{exported.difference:.1e}",
        f"- Trained on {state.samples:,} pictures in {state.seconds / 3600:.2f} h",
        f"- Command: `{without_folders(state.facts.get('command', 'unknown'))}`",
        "- Licence: MIT",
        "",
        "## Data",
        "",
        "Pictures of the reference renderer (`freeavatar data rig-renders`): "
        + ", ".join(f"{n} of {rig}" for rig, n in rigs.items())
        + f".{owned}",
        "",
        "## Figures",
        "",
        "Held-out combinations of controls, heads turned up to 35°, random light and lens; in "
        "brackets the points alone, before the network.",
        "",
        "| rig | " + " | ".join(name for _, name, _ in FIGURES) + " |",
        "|---" * (len(FIGURES) + 1) + "|",
        *(_row(rig, values) for rig, values in figures.items()),
        "",
        "## Limits",
        "",
        "Fine hair, glass and what no reference picture shows stay blurred. Rims of light and "
        "gloss follow the studio's, not the turned lamps. The points of a picture carry one colour "
        "each, so strongly textured parts lose sharpness.",
    ]


def _row(rig: str, values: dict[str, float]) -> str:
    cells = [
        f"{form.format(values[key])} ({form.format(values[f'points_{key}'])})"
        for key, _, form in FIGURES
    ]
    return f"| {rig} | " + " | ".join(cells) + " |"
