"""Rigs perform recorded takes: what they show is exactly what the curves say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freeavatar.animator.performer import expressions_from_take
from freeavatar.bridge.takes import read_take
from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs import registry
from freeavatar.rigs.blendshapes import unit_weights
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig
from freeavatar.tools.evaluation.rendered_actors import (
    PICTURE_SIZE,
    Moments,
    RigActor,
    actor_names,
    control_values,
    head_turns,
    load_actor,
    resting_turn,
    sampled,
    shown_channels,
    truth_of,
)
from freeavatar.tools.inputs import DEMO_TAKE

JAW, CLOSE, SMILE = (
    BLENDSHAPES.index(name) for name in ("jawOpen", "mouthClose", "mouthSmileLeft")
)


@pytest.fixture(scope="module")
def mannequin() -> Rig:
    return registry.load("mannequin")


def one(name: str, value: float) -> np.ndarray:
    curves = np.zeros((1, 52), np.float32)
    curves[0, BLENDSHAPES.index(name)] = value
    return curves


def test_frames_lie_evenly_over_all_takes() -> None:
    known = [e.blendshapes for e in expressions_from_take(read_take(DEMO_TAKE)) if e.found]
    moments = sampled([DEMO_TAKE, DEMO_TAKE], 21)
    rows = np.linspace(0, 2 * len(known) - 1, 21).astype(int)
    expected = np.stack([(known + known)[row] for row in rows])
    others = [i for i in range(52) if i != CLOSE]
    np.testing.assert_array_equal(moments.curves[:, others], expected[:, others])
    assert (moments.curves[:, CLOSE] <= moments.curves[:, JAW]).all()
    steps = np.diff(moments.times)
    assert (steps > 0).all() and steps.max() < 1.1 * steps.min() + 0.05
    assert len(sampled([DEMO_TAKE], 10**6).times) == len(known)


def test_a_take_without_a_face_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    where = "freeavatar.tools.evaluation.rendered_actors.expressions_from_take"
    monkeypatch.setattr(where, lambda take: iter(()))
    with pytest.raises(SourceError, match="--curves"):
        sampled([DEMO_TAKE], 10)


def test_a_channel_whose_control_moves_nothing_is_not_shown(mannequin: Rig) -> None:
    assert mannequin.mesh is not None and shown_channels(mannequin).all()
    deltas = mannequin.mesh.deltas.copy()
    for name in ("mouthSmileLeft", "eyeLookInLeft"):
        deltas[mannequin.index[name]] = 0.0
    stiff = replace(mannequin, mesh=replace(mannequin.mesh, deltas=deltas))
    # The eyes have joints: they look without a control.
    assert [BLENDSHAPES[i] for i in np.flatnonzero(~shown_channels(stiff))] == ["mouthSmileLeft"]
    truth = truth_of(RigActor(stiff), np.full((2, 52), 0.5, np.float32))
    assert np.isnan(truth[:, SMILE]).all()
    assert (np.delete(truth, SMILE, axis=1) == 0.5).all()


def test_controls_take_the_curves_of_their_names(mannequin: Rig) -> None:
    curves = np.random.default_rng(0).random((3, 52)).astype(np.float32)
    weights = unit_weights(mannequin, control_values(mannequin, curves))
    order = [mannequin.index[name] for name in BLENDSHAPES]
    np.testing.assert_allclose(weights[:, order], curves, atol=1e-6)
    fox = registry.load("fox")
    names = [fox.names[i] for i in np.flatnonzero(control_values(fox, curves)[0] != fox.neutral)]
    assert 0 < len(names) < len(fox.controls)


def test_pictures_show_the_curves_and_the_turned_head(mannequin: Rig) -> None:
    rest = one("jawOpen", 0.0)
    curves = np.concatenate([rest, one("jawOpen", 1.0), one("eyeLookInLeft", 1.0), rest])
    moments = Moments(times=np.arange(4) * 2.0, curves=curves)
    head = np.zeros((4, 3))
    head[3, 0] = np.radians(20)
    frames = list(RigActor(mannequin).frames(moments, head))
    assert [f.time for f in frames] == [0.0, 2.0, 4.0, 6.0]
    still, jaw, look, turned = (f.picture.astype(int) for f in frames)
    assert still.shape == (PICTURE_SIZE, PICTURE_SIZE, 3)
    changed = [int((np.abs(p - still).max(axis=2) > 10).sum()) for p in (jaw, look, turned)]
    assert changed[0] > 1000 and 50 < changed[1] < changed[0] < changed[2]


def test_the_head_turns_slowly_to_both_sides() -> None:
    turns = np.degrees(head_turns(120))
    assert (turns[0] == 0).all() and (turns[:, 2] == 0).all()
    assert turns[:, 0].max() == pytest.approx(25, abs=0.2) == -turns[:, 0].min()
    assert np.abs(turns[:, 1]).max() < 10
    assert np.abs(np.diff(turns, axis=0)).max() < 4


def test_a_resting_face_turns_by_a_degree_a_frame_and_is_straight_in_the_middle() -> None:
    moments, head = resting_turn()
    assert (moments.curves == 0).all() and (np.diff(moments.times) > 0).all()
    assert np.degrees(head[:, 0]) == pytest.approx(np.arange(-25, 26))
    assert (head[25] == 0).all() and (head[:, 1:] == 0).all()


def test_rigs_that_can_perform_are_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert actor_names(None) == ["mannequin"]
    (tmp_path / "rigs").mkdir()
    (tmp_path / "rigs" / "broken.glb").write_bytes(b"no rig")
    assert actor_names(tmp_path) == ["mannequin"]
    assert "broken.glb does not perform" in caplog.text
    with pytest.raises(RigError, match="choose another --actor"):
        load_actor("arkit")


def test_the_shared_rigs_with_complete_names_perform(shared: Path) -> None:
    names = {Path(name).stem for name in actor_names(shared)}
    assert names == {
        "mannequin",
        "facecap_generic",
        "ict_face_53",
        "makehuman_arkit_viseme",
        "threejs_facecap_meshopt",
    }
    tongue = BLENDSHAPES.index("tongueOut")
    for name in ("facecap_generic", "ict_face_53"):
        shown = load_actor(str(shared / "rigs" / f"{name}.glb")).shown
        assert shown.sum() == 51 and not shown[tongue]
