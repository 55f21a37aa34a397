"""Round trips, and motion carried from head to head without names."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.animator.anchor_table import ANCHORS
from freeavatar.animator.comparison import carry, round_trip
from freeavatar.animator.inverse import ControlInverse
from freeavatar.animator.performer import expressions_from_take
from freeavatar.animator.reference import reference_of
from freeavatar.bridge.takes.opening import read_take
from freeavatar.rigs.blendshapes import blend
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.spec import Control, Rig

PointFace = Callable[..., Rig]
Values = NDArray[np.float64]


def test_weights_are_recovered_from_the_mesh_they_made(
    point_face: PointFace, arkit_controls: tuple[Control, ...], arkit_points: Values
) -> None:
    rig = point_face(arkit_controls, arkit_points)
    assert rig.mesh is not None
    values = np.zeros(52, np.float32)
    values[[3, 17, 40]] = 0.25, 1.0, 0.6
    vertices = blend(rig.mesh.vertices, rig.mesh.deltas, values)
    inverse = ControlInverse(rig)
    np.testing.assert_allclose(inverse.values(vertices), values, atol=1e-3)
    assert inverse.dead == ("tongueOut",)


def test_ranges_other_than_one_are_recovered(point_face: PointFace, arkit_points: Values) -> None:
    controls = [
        Control(name="a", minimum=-1.0, maximum=1.0),
        Control(name="b", minimum=0.0, maximum=4.0, neutral=1.0),
    ]
    rig = point_face(controls, arkit_points[[17, 23]])
    assert round_trip(rig, samples=30).error < 1e-3


def test_a_rig_that_stands_still_is_refused(point_face: PointFace) -> None:
    rig = point_face([Control(name="a")], np.zeros((1, len(ANCHORS), 3)))
    with pytest.raises(RigError, match="no control moves the mesh"):
        round_trip(rig)


def test_a_solver_that_misses_shows_in_the_figure(
    point_face: PointFace, arkit_points: Values
) -> None:
    """Two equal controls cannot be told apart: the error must say so."""
    controls = [Control(name="a"), Control(name="b")]
    rig = point_face(controls, arkit_points[[17, 17]])
    trip = round_trip(rig, samples=50)
    assert trip.error > 0.1
    assert {name for name, _ in trip.worst} == {"a", "b"}


@pytest.mark.parametrize(
    "name", ["ict_face_53.glb", "facecap_generic.glb", "makehuman_arkit_viseme.glb"]
)
def test_arkit_rigs_are_recovered_within_the_bar(shared: Path, name: str) -> None:
    trip = round_trip(load_rig(shared / "rigs" / name), samples=60)
    assert trip.error < 0.003, "the bar is 0.03"
    assert trip.active_error < 0.01


def test_a_recorded_take_moves_other_heads_alike_without_names(
    anchored: Callable[[str], Rig], shared: Path
) -> None:
    take = read_take(shared / "curves" / "alex_rom_3.csv")
    shapes = np.stack([e.blendshapes for e in expressions_from_take(take)])[::10]
    source = reference_of(anchored("ict_face_53.glb"))
    for name in ("facecap_generic.glb", "valid_black_m_1.glb", "makehuman_arkit_viseme.glb"):
        regions = carry(shapes, source, anchored(name)).by_region()
        for region, bar in (("lips", 0.95), ("corners", 0.95), ("jaw", 0.9), ("brows", 0.85)):
            assert regions[region][0] > bar, (name, region, regions[region])
        assert regions["lids"][0] > 0.8, (name, regions["lids"])


def test_a_head_carries_to_itself(
    point_face: PointFace, arkit_controls: tuple[Control, ...], arkit_points: Values
) -> None:
    rig = point_face(arkit_controls, arkit_points)
    shapes = 0.5 * np.random.default_rng(0).random((40, 52))
    carried = carry(shapes, reference_of(rig), rig)
    assert min(carried.correlation.values()) > 0.9
