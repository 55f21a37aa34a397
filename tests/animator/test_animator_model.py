"""The animator as it runs: two files, any rig, streams apart from each other."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from freeavatar.animator.animator_batch import AnimatorBatch, batch_rigs
from freeavatar.animator.animator_config import AnimatorConfig
from freeavatar.animator.animator_export import export_animator
from freeavatar.animator.animator_files import FRAME_FILE, RIG_FILE
from freeavatar.animator.animator_model import Animator, AnimatorGroup
from freeavatar.animator.animator_net import AnimatorNet
from freeavatar.animator.calibration import HIGHEST_REST
from freeavatar.animator.columns import Columns, columns_of
from freeavatar.animator.descriptors import descriptors_of
from freeavatar.animator.identity import RigIdentity
from freeavatar.animator.motion import anchor_motion
from freeavatar.animator.performer import Performer, PerformerOptions, performers_of
from freeavatar.animator.solver import ExpressionSolver
from freeavatar.animator.training.tuning import TunedAnimator
from freeavatar.foundation.errors import ReaderError, TrainingError
from freeavatar.foundation.expression import BLENDSHAPES, Expression
from freeavatar.rigs.blendshapes import unit_weights
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Control, Rig

torch.set_num_threads(1)
PointFace = Callable[..., Rig]
Curves = tuple[NDArray[np.float32], NDArray[np.float32]]


@pytest.fixture(scope="module")
def stirred() -> AnimatorNet:
    torch.manual_seed(1)
    net = AnimatorNet(AnimatorConfig()).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


@pytest.fixture(scope="module")
def folder(stirred: AnimatorNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network in which everything has a part, as files."""
    out = tmp_path_factory.mktemp("stirred")
    assert export_animator(stirred, out, facts={"note": "test"}).difference <= 1e-4
    return out


@pytest.fixture(scope="module")
def fresh_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that knows nothing and believes the solver."""
    out = tmp_path_factory.mktemp("fresh")
    net = AnimatorNet(AnimatorConfig()).eval()
    torch.nn.init.constant_(net.matching.believe.bias, -40.0)
    export_animator(net, out, facts={})
    return out


@pytest.fixture(scope="module")
def rig(point_face: PointFace, arkit_points: NDArray[np.float64]) -> Rig:
    """Thirty controls in their own ranges, of which two also go below neutral."""
    controls = [
        Control(name=name, hub={name: 1.0}, convention="arkit", maximum=1.0 + k % 3)
        for k, name in enumerate(BLENDSHAPES[::2])
    ]
    controls += [Control(name=f"two{k}", minimum=-0.5, neutral=0.5, maximum=2.0) for k in range(2)]
    motion = np.concatenate([arkit_points[::2], arkit_points[[17, 43]]])
    return point_face(controls, motion)


@pytest.fixture(scope="module")
def curves() -> Curves:
    make = np.random.default_rng(4)
    shapes = np.clip(np.cumsum(0.2 * make.standard_normal((8, 52)), axis=0), 0.0, 1.0)
    return shapes.astype(np.float32), make.standard_normal((8, 64, 192)).astype(np.float32)


def known(rig: Rig) -> RigIdentity:
    return RigIdentity(descriptors=descriptors_of(rig))


def animated(rig: Rig, folder: Path, curves: Curves) -> NDArray[np.float64]:
    animator = Animator(rig, known(rig), folder=folder)
    return np.stack([animator.solve(*frame) for frame in zip(*curves, strict=True)])


def renamed_and_shuffled(rig: Rig) -> tuple[Rig, NDArray[np.intp]]:
    assert rig.mesh is not None
    order = np.random.default_rng(6).permutation(len(rig.controls))
    controls = tuple(
        replace(rig.controls[k], name=f"c{i:02}", hub={}, convention="", region="other")
        for i, k in enumerate(order)
    )
    mesh = replace(rig.mesh, deltas=rig.mesh.deltas[order])
    return replace(rig, name="other", controls=controls, mesh=mesh), order


def test_untrained_it_is_nearly_the_nameless_solver(
    rig: Rig, fresh_folder: Path, curves: Curves
) -> None:
    """In what can be seen: how the face points move."""
    solver = ExpressionSolver(rig, use_names=False)
    expected = np.stack([solver.solve(shapes) for shapes in curves[0]])
    found = animated(rig, fresh_folder, curves)
    moved = [unit_weights(rig, v) @ anchor_motion(rig).reshape(len(rig.controls), -1) for v in
             (found, expected)]  # fmt: skip
    assert np.linalg.norm(moved[0] - moved[1]) < 0.05 * np.linalg.norm(moved[1])
    assert (found[:, -2:] < 0.5).any(), "no control goes below its neutral here"


def test_names_change_nothing(rig: Rig, folder: Path, curves: Curves) -> None:
    controls = tuple(
        replace(c, name=f"c{k:02}", hub={}, convention="", region="other")
        for k, c in enumerate(rig.controls)
    )
    found = animated(replace(rig, name="other", controls=controls), folder, curves)
    np.testing.assert_allclose(found, animated(rig, folder, curves), rtol=0, atol=1e-6)


def test_names_and_order_do_not_matter(rig: Rig, folder: Path, curves: Curves) -> None:
    other, order = renamed_and_shuffled(rig)
    found, expected = animated(other, folder, curves), animated(rig, folder, curves)
    np.testing.assert_allclose(found, expected[:, order], rtol=0, atol=1e-5)
    assert np.abs(expected - animated(rig, folder, (1 - curves[0], curves[1]))).max() > 0.01


def rested_weights(net: torch.nn.Module, columns: Columns, curves: Curves) -> NDArray[np.float32]:
    """(T, C) weights of one rig's columns for a sequence, less what torch says of a neutral face
    that is not seen."""
    neutral = np.zeros((1, 52), np.float32), np.zeros((1, 64, 192), np.float32)
    said, rest = (
        net(
            AnimatorBatch(
                tokens=torch.from_numpy(tokens)[None],
                shapes=torch.from_numpy(shapes)[None],
                rig=torch.zeros(1, dtype=torch.int64),
                rigs=batch_rigs([columns]),
            )
        )
        .weights[0]
        .detach()
        .numpy()
        for shapes, tokens in (curves, neutral)
    )
    assert np.abs(rest).max() > 1e-3, "nothing to take away here"
    rest = np.minimum(rest, HIGHEST_REST)
    return np.clip((said - rest) / (1.0 - rest), 0.0, columns.upper)


def test_a_neutral_face_stays_neutral(rig: Rig, folder: Path) -> None:
    animator = Animator(rig, known(rig), folder=folder)
    np.testing.assert_allclose(animator.solve(np.zeros(52)), rig.neutral, atol=1e-6)


def test_the_files_say_what_torch_says(
    stirred: AnimatorNet, rig: Rig, folder: Path, curves: Curves
) -> None:
    """The whole way, a sequence at once against frame by frame."""
    columns = columns_of(known(rig).descriptors)
    span = np.array([c.maximum - c.neutral for c in rig.controls])
    weights = columns.to_weights(rested_weights(stirred, columns, curves))
    found = animated(rig, folder, curves)
    np.testing.assert_allclose((found - rig.neutral) / span, weights, atol=1e-4)
    least = np.array([c.minimum for c in rig.controls]) - 1e-6
    most = np.array([c.maximum for c in rig.controls]) + 1e-6
    assert (found >= least).all() and (found <= most).all()


def test_streams_do_not_disturb_each_other(rig: Rig, folder: Path, curves: Curves) -> None:
    mirrored = curves[0][::-1].copy(), curves[1][::-1].copy()
    first, second = (Animator(rig, known(rig), folder=folder) for _ in range(2))
    pairs = zip(zip(*curves, strict=True), zip(*mirrored, strict=True), strict=True)
    both = [(first.solve(*a), second.solve(*b)) for a, b in pairs]
    np.testing.assert_array_equal(np.stack([a for a, _ in both]), animated(rig, folder, curves))
    np.testing.assert_array_equal(np.stack([b for _, b in both]), animated(rig, folder, mirrored))


def test_reset_forgets(rig: Rig, folder: Path, curves: Curves) -> None:
    animator = Animator(rig, known(rig), folder=folder)
    first = animator.solve(curves[0][0])
    later = [animator.solve(curves[0][k % 2]) for k in (1, 0)][1]
    assert np.abs(later - first).max() > 1e-5, "the past has no part in this"
    animator.reset()
    np.testing.assert_array_equal(animator.solve(curves[0][0]), first)


def test_a_group_gives_each_rig_its_own_answer(rig: Rig, folder: Path, curves: Curves) -> None:
    assert rig.mesh is not None
    few = replace(
        rig,
        name="few",
        controls=rig.controls[-3:],
        mesh=replace(rig.mesh, deltas=rig.mesh.deltas[-3:]),
    )
    group = AnimatorGroup([few, rig], [known(few), known(rig)], folder=folder)
    together = [group.solve(*frame) for frame in zip(*curves, strict=True)]
    for place, alone in enumerate((few, rig)):
        found = np.stack([values[place] for values in together])
        np.testing.assert_allclose(found, animated(alone, folder, curves), atol=1e-5)


@pytest.mark.parametrize("count", [1, 300])
def test_few_and_many_controls(
    point_face: PointFace, arkit_points: NDArray[np.float64], folder: Path, count: int
) -> None:
    make = np.random.default_rng(count)
    motion = make.random((count, 52)) @ arkit_points.reshape(52, -1)
    controls = [Control(name=f"c{k}") for k in range(count)]
    face = point_face(controls, motion.reshape(count, -1, 3))
    values = Animator(face, known(face), folder=folder).solve(np.full(52, 0.2))
    assert values.shape == (count,)
    assert (values >= 0).all() and (values <= 1 + 1e-6).all()


def seen(curves: Curves, index: int) -> Expression:
    return Expression(
        index=index,
        time=index / 30,
        found=index != 3,
        blendshapes=curves[0][index],
        tokens=curves[1][index],
    )


def test_performers_share_one_run_and_know_no_names(rig: Rig, folder: Path, curves: Curves) -> None:
    """Smoothed, over a lost face; a rig beside others, alone, and renamed performs alike."""
    options = PerformerOptions(animator=True, animator_folder=folder)
    other, order = renamed_and_shuffled(rig)
    together = performers_of([rig, other], options)
    alone = Performer(rig, options)
    for _ in range(2):
        for index in range(len(curves[0])):
            expression = seen(curves, index)
            first, second = (p.perform(expression).values for p in together)
            np.testing.assert_allclose(second, first[order], atol=1e-5)
            np.testing.assert_allclose(first, alone.perform(expression).values, atol=1e-5)
        for performer in (*together, alone):
            performer.reset()


def test_a_rig_of_names_alone_is_solved_by_name(folder: Path) -> None:
    rig = Rig(
        name="curves", controls=(Control(name="jawOpen", hub={"jawOpen": 1.0}, convention="arkit"),)
    )
    performer = Performer(rig, PerformerOptions(animator=True, animator_folder=folder, smooth=0.0))
    shapes = np.zeros(52, np.float32)
    shapes[BLENDSHAPES.index("jawOpen")] = 0.5
    expression = Expression(index=0, time=0.0, found=True, blendshapes=shapes)
    assert 0.4 < performer.perform(expression).values[0] <= 0.5


def test_what_cannot_run_is_refused(
    rig: Rig, folder: Path, fresh_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ReaderError, match="train animator"):
        Animator(rig, known(rig), folder=tmp_path)
    (tmp_path / RIG_FILE).write_bytes((folder / RIG_FILE).read_bytes())
    (tmp_path / FRAME_FILE).write_bytes((fresh_folder / FRAME_FILE).read_bytes())
    with pytest.raises(ReaderError, match="two trainings"):
        Animator(rig, known(rig), folder=tmp_path)
    (tmp_path / FRAME_FILE).write_bytes((folder / RIG_FILE).read_bytes())
    with pytest.raises(ReaderError, match="animator-rig/2"):
        Animator(rig, known(rig), folder=tmp_path)
    (tmp_path / FRAME_FILE).write_bytes(b"no network")
    with pytest.raises(ReaderError, match="damaged"):
        Animator(rig, known(rig), folder=tmp_path)
    blank = Rig(name="blank", controls=rig.controls)
    with pytest.raises(RigError, match="--anchors"):
        Animator(blank, known(blank), folder=folder)
    with pytest.raises(RigError, match="register it again"):
        Animator(replace(rig, controls=rig.controls[:3], mesh=None), known(rig), folder=folder)
    with pytest.raises(ValueError, match="tokens"):
        Animator(rig, known(rig), folder=folder).solve(np.zeros(52), np.zeros((4, 4)))
    with pytest.raises(TrainingError, match="layers"):
        export_animator(AnimatorNet(AnimatorConfig(layers=2)), tmp_path, facts={})


def test_running_needs_no_torch() -> None:
    script = (
        "import sys\nimport freeavatar.animator.animator_model, freeavatar.animator.performer\n"
        "print([h for h in ('torch', 'timm', 'onnx') if h in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_tuning_learned_of_a_rig_is_used(
    stirred: AnimatorNet, rig: Rig, folder: Path, curves: Curves
) -> None:
    """As the training had it, beside a rig of more columns that was not tuned."""
    columns = columns_of(known(rig).descriptors)
    make = np.random.default_rng(8)
    follow = 0.1 * make.standard_normal((52, len(columns.upper))).astype(np.float32)
    trust = 0.1 * make.standard_normal(len(columns.upper)).astype(np.float32)
    code = 0.3 * make.standard_normal(16).astype(np.float32)
    own = TunedAnimator(stirred, len(columns.upper)).eval()
    with torch.no_grad():
        for parameter, value in ((own.follow, follow), (own.trust, trust), (own.code, code)):
            parameter.copy_(torch.from_numpy(value))
    weights = columns.to_weights(rested_weights(own, columns, curves))
    learned = {"code": code, "follow": columns.to_sides(follow), "trust": columns.to_sides(trust)}
    tuned = replace(known(rig), **learned)
    found = AnimatorGroup([rig, rig], [tuned, known(rig)], folder=folder)
    both = [found.solve(*frame) for frame in zip(*curves, strict=True)]
    span = np.array([c.maximum - c.neutral for c in rig.controls])
    first, second = (np.stack([values[i] for values in both]) for i in range(2))
    np.testing.assert_allclose((first - rig.neutral) / span, weights, atol=1e-4)
    np.testing.assert_allclose(second, animated(rig, folder, curves), atol=1e-5)
    assert np.abs(first - second).max() > 0.01
