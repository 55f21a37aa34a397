"""What names alone say."""

import numpy as np

from freeavatar.animator.naming import SHAPE_INDEX, companions, name_map
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs.spec import Control, Rig, Side


def named(name: str, convention: str = "", side: Side = "centre", **hub: float) -> Control:
    return Control(name=name, convention=convention, side=side, hub=hub)


def test_single_shapes_are_direct_and_combinations_are_not() -> None:
    rig = Rig(
        name="r",
        controls=(
            named("jaw", jawOpen=1.0),
            named("aa", jawOpen=0.6, mouthFunnel=0.2),
            named("belly"),
            named("soft", mouthPucker=0.5),
        ),
    )
    known = name_map(rig)
    assert known.direct.tolist() == [0]
    assert known.shapes.tolist() == [SHAPE_INDEX["jawOpen"]]
    assert known.combined.tolist() == [1, 3]
    assert known.combinations[0, SHAPE_INDEX["mouthFunnel"]] == 0.2
    assert not known.complete


def test_of_two_controls_for_one_shape_the_arkit_one_is_set() -> None:
    rig = Rig(
        name="r",
        controls=(
            named("mouthOpen", "words", jawOpen=1.0),
            named("jawOpen", "arkit", jawOpen=1.0),
        ),
    )
    assert name_map(rig).direct.tolist() == [1]


def test_halves_of_a_shape_both_follow_it_but_not_beside_the_whole() -> None:
    halves = (
        named("browInnerUp_L", "arkit", "left", browInnerUp=1.0),
        named("browInnerUp_R", "arkit", "right", browInnerUp=1.0),
    )
    assert name_map(Rig(name="r", controls=halves)).direct.tolist() == [0, 1]
    whole = named("browInnerUp", "arkit", browInnerUp=1.0)
    assert name_map(Rig(name="r", controls=(*halves, whole))).direct.tolist() == [2]


def test_complete_needs_nearly_all_shapes() -> None:
    controls = [named(n, "arkit", **{n: 1.0}) for n in BLENDSHAPES]
    assert name_map(Rig(name="r", controls=tuple(controls[1:]))).complete
    assert not name_map(Rig(name="r", controls=tuple(controls[12:]))).complete


def test_pieces_follow_the_face_control_of_their_name() -> None:
    names = ("face.MouthOpen", "teeth.t_MouthOpen", "teeth.t_Other", "eye_open", "open")
    assert companions(names) == ((1, 0),)
    assert companions(("MouthOpen", "t_MouthOpen")) == ()


def test_unknown_hub_names_mean_nothing() -> None:
    known = name_map(Rig(name="r", controls=(named("x", notAShape=1.0),)))
    assert not len(known.direct) and not len(known.combined)
    assert np.shape(known.combinations) == (0, 52)
