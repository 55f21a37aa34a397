"""What the animator's training takes in: rigs, faces, the known head and the perceptual loop."""

from collections.abc import Sequence
from pathlib import Path

from freeavatar.animator.columns import Columns, columns_of
from freeavatar.animator.control_pictures import foundation_view
from freeavatar.animator.identity import load_identity
from freeavatar.animator.reference import REFERENCE_RIG
from freeavatar.animator.reference_columns import reference_columns
from freeavatar.animator.training.expression_views import ExpressionViews, gather_views
from freeavatar.animator.training.perceptual import PerceptualLoop
from freeavatar.animator.training.training_rig import RigSource
from freeavatar.foundation.bundle import bundle_at_hand
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression_model import ExpressionModel
from freeavatar.foundation.training import checkpoints
from freeavatar.foundation.training.loop import BEST
from freeavatar.renderer_net.capturing import appearance_of
from freeavatar.renderer_net.model import WEIGHTS
from freeavatar.renderer_net.net import RendererConfig, RendererNet, TorchRenderer
from freeavatar.renderer_net.warm_start import exported_renderer
from freeavatar.rigs import registry
from freeavatar.tools.dataset.avatars import detector
from freeavatar.tools.dataset.people import People
from freeavatar.tools.dataset.procedural_rigs import ProceduralRigs

from .renderer_training import crop_of
from .torch_foundation import TorchFoundation, cut


def open_views(data: Sequence[Path], split: str, count: int, kept: Path) -> ExpressionViews:
    """What the foundation reads in the faces of a split, opened in each process."""
    return gather_views(data, split, count, kept, ExpressionModel(threads=1))


def open_rigs(synth: Path | None, points: Path, split: str, drawn: float) -> RigSource:
    """The made-up rigs of a split's people, opened in each process."""
    if synth is None or not synth.is_dir():
        raise TrainingError("made-up rigs are made of heads: name their folder with --synth")
    try:
        people = People(synth, points, split, detector(bundle_at_hand()))
    except (FileNotFoundError, ValueError) as error:
        raise TrainingError(str(error)) from error
    return ProceduralRigs(people, view=foundation_view() if drawn > 0 else None, drawn=drawn)


def known_reference() -> Columns:
    """The known head's columns, with what its shapes look like."""
    known = load_identity(registry.load(REFERENCE_RIG)).descriptors
    return reference_columns(known=known)


def perceptual_loop(
    names: Sequence[str],
    views: ExpressionViews,
    *,
    renderer: Path | None,
    foundation: Path | None,
    seed: int,
) -> PerceptualLoop:
    """The perceptual loop over rigs that are drawn by the neural renderer.

    Args:
        names: of the rigs.
        views: faces.
        renderer: run of train renderer; None for the renderer that ships.
        foundation: see `TorchFoundation`.
        seed: of the choice of faces.
    """
    rigs = [registry.load(name) for name in names]
    known = [load_identity(rig) for rig in rigs]
    appearances = [
        who.appearance or appearance_of(rig) for rig, who in zip(rigs, known, strict=True)
    ]
    drawn = TorchRenderer(_renderer_net(renderer), appearances)
    view = TorchFoundation(foundation)
    crops = [crop_of(rig, drawn.size) for rig in rigs]
    columns = [columns_of(who.descriptors) for who in known]
    return PerceptualLoop(
        drawn,
        columns,
        lambda pictures, rig: view.look(cut(pictures, crops[rig])).embedding,
        views,
        seed=seed,
    )


def _renderer_net(path: Path | None) -> RendererNet:
    if path is None:
        return exported_renderer(WEIGHTS)
    checkpoint = checkpoints.load(path / BEST if path.is_dir() else path)
    net = RendererNet(RendererConfig.from_dict(checkpoint.state.config))
    checkpoints.fill(net, checkpoint.part("average.renderer.net"))
    return net
