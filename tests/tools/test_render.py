"""The render verb: takes drawn as films and pictures."""

import argparse
import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.writer import write_glb
from freeavatar.rigs.spec import Control, Mesh, Part, Rig, RigFrame, Take
from freeavatar.tools import render, retarget


def make_rig(path: Path) -> Rig:
    """A square that `grow` widens and `lift` raises; saved as GLB."""
    vertices = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32) * 0.1
    deltas = np.zeros((2, 4, 3), np.float32)
    deltas[0, :, 0] = vertices[:, 0]
    deltas[1, 2:, 1] = 0.1
    mesh = Mesh(
        vertices=vertices,
        triangles=np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        deltas=deltas,
        parts=(Part(name="card", first_triangle=0, triangle_count=2, unlit=True),),
    )
    rig = Rig(name=path.stem, controls=(Control(name="grow"), Control(name="lift")), mesh=mesh)
    write_glb(rig, path)
    return rig


def make_take(path: Path, columns: str, rows: list[tuple[float, ...]]) -> Path:
    """A 60 fps CSV take with the given columns."""
    lines = [f"Timecode,BlendShapeCount,{columns}"]
    for i, row in enumerate(rows):
        timecode = f"00:00:{i // 60:02d}:{i % 60:02d}.000"
        lines.append(",".join([timecode, str(len(row)), *(f"{v:.6f}" for v in row)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def call(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    render.add_verb(parser.add_subparsers())
    args = parser.parse_args(["render", *map(str, arguments)])
    return int(args.run(args))


def widths(path: Path) -> list[int]:
    """Width in pixels of what is drawn in the middle row of each picture of a film."""
    with av.open(str(path)) as film:
        frames = [f.to_ndarray(format="rgb24") for f in film.decode(video=0)]
    return [int((f[f.shape[0] // 2].astype(int).min(axis=1) > 120).sum()) for f in frames]


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return make_take(tmp_path / "take.csv", "grow,lift", [(i / 59, 0.0) for i in range(60)])


@pytest.fixture
def card(tmp_path: Path) -> Path:
    make_rig(tmp_path / "card.glb")
    return tmp_path / "card.glb"


def test_a_take_of_the_rig_becomes_a_film_of_its_frames(
    tmp_path: Path, card: Path, take: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "film.mp4"
    assert call("--rig", card, "--take", take, "--out", out, "--size", "96", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["frames"] == 60
    assert summary["rigs"] == ["card"]
    seen = widths(out)
    assert len(seen) == 60
    assert seen[-1] == pytest.approx(2 * seen[0], abs=3)
    assert (np.diff(seen) >= -1).all()
    with av.open(str(out)) as film:
        times = [f.time for f in film.decode(video=0)]
    np.testing.assert_allclose(times, np.arange(60) / 60, atol=1e-3)


def test_a_stretch_at_another_rate(tmp_path: Path, card: Path, take: Path) -> None:
    out = tmp_path / "film.mp4"
    stretch = ("--start", "0.25", "--end", "0.75", "--fps", "20")
    assert call("--rig", card, "--take", take, "--out", out, "--size", "96", *stretch) == 0
    with av.open(str(out)) as film:
        times = [f.time for f in film.decode(video=0)]
    np.testing.assert_allclose(times, np.arange(10) / 20, atol=1e-3)


def test_pictures_of_every_frame_and_of_one(tmp_path: Path, card: Path, take: Path) -> None:
    folder, still = tmp_path / "frames", tmp_path / "still.png"
    short = ("--end", "0.1", "--size", "64")
    assert call("--rig", card, "--take", take, "--out", folder, *short) == 0
    assert [p.name for p in sorted(folder.iterdir())] == [f"frame_{i:06d}.png" for i in range(6)]
    assert (
        call("--rig", card, "--take", take, "--out", still, "--start", "0.1", "--size", "64") == 0
    )
    picture = np.asarray(Image.open(still))
    assert picture.shape == (64, 64, 3)
    sixth = np.asarray(Image.open(folder / "frame_000005.png"))
    row = (picture[32].min(axis=1) > 120).sum()
    assert row >= (sixth[32].min(axis=1) > 120).sum() > 5


def test_actor_and_rigs_stand_side_by_side(tmp_path: Path, card: Path, take: Path) -> None:
    make_rig(tmp_path / "other.glb")
    actor, out = tmp_path / "actor.mp4", tmp_path / "film.mp4"
    with av.open(str(actor), "w") as film:
        stream = film.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for i in range(12):
            picture = np.full((64, 64, 3), 20 * i, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        film.mux(stream.encode(None))
    rigs = ("--rig", card, "--rig", tmp_path / "other.glb")
    shift = ("--actor", actor, "--actor-start", "0.2", "--size", "64")
    assert call(*rigs, "--take", take, "--out", out, *shift) == 0
    with av.open(str(out)) as film:
        assert film.streams.video[0].width > 2 * 64
        frames = [f.to_ndarray(format="rgb24") for f in film.decode(video=0)]
    # At 0.35 s of the take the clip is at 0.55 s: its sixth picture.
    assert frames[21][20, 32].mean() == pytest.approx(100, abs=5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rig", "arkit"), "no mesh"),
        (("--start", "5"), "no frame"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(
    tmp_path: Path, card: Path, take: Path, arguments: tuple[str, ...], message: str
) -> None:
    rig = () if "--rig" in arguments else ("--rig", card)
    with pytest.raises(ValueError, match=message):
        call(*rig, "--take", take, "--out", tmp_path / "film.mp4", *arguments)
    assert not (tmp_path / "film.mp4").exists()


def test_a_name_that_is_no_picture_or_film_is_refused(
    tmp_path: Path, card: Path, take: Path
) -> None:
    with pytest.raises(ValueError, match=r"\.mp4"):
        call("--rig", card, "--take", take, "--out", tmp_path / "film.gif")


def curves(names: tuple[str, ...], values: list[list[float]]) -> Take:
    frames = [
        RigFrame(index=i, time=i / 30, values=np.array(row, np.float32), found=i != 1)
        for i, row in enumerate(values)
    ]
    return Take(names=names, frames=frames, rate=30.0)


def test_columns_reach_the_controls_of_the_same_name_within_their_range() -> None:
    controls = (Control(name="b", minimum=-1, maximum=1, neutral=0.5), Control(name="a"))
    rig = Rig(name="r", controls=controls)
    frames = retarget.frames_on(rig, curves(("a",), [[0.25], [0.5], [1.75]]))
    np.testing.assert_allclose([f.values for f in frames], [[0.5, 0.25], [0.5, 0.5], [0.5, 1.0]])
    assert [f.found for f in frames] == [True, False, True]


def test_arkit_curves_reach_a_rig_that_spells_them_otherwise() -> None:
    from freeavatar.rigs.conventions import describe_controls

    rig = Rig(name="r", controls=describe_controls(("Blink_Left", "jaw_open", "browInnerUp")))
    names = ("jawOpen", "mouthFunnel", "browInnerUp")
    frames = retarget.frames_on(rig, curves(names, [[0.5, 0.0, 0.25]]))
    assert frames[0].values[rig.index["jaw_open"]] == pytest.approx(0.5, abs=0.05)
    assert frames[0].values[rig.index["browInnerUp"]] == pytest.approx(0.25, abs=0.05)


def test_a_take_of_something_else_is_refused() -> None:
    rig = Rig(name="r", controls=(Control(name="puff"),))
    with pytest.raises(RigError, match="no control in common"):
        retarget.frames_on(rig, curves(("x1", "x2"), [[0.0, 1.0]]))


def test_resampling_takes_the_newest_frame_of_every_instant() -> None:
    times = [1.0, 1.04, 1.30, 1.31]
    frames = [
        RigFrame(index=i + 7, time=t, values=np.array([i], np.float32)) for i, t in enumerate(times)
    ]
    got = retarget.resampled(frames, 10.0)
    assert [f.index for f in got] == [0, 1, 2, 3]
    np.testing.assert_allclose([f.time for f in got], [1.0, 1.1, 1.2, 1.3])
    assert [float(f.values[0]) for f in got] == [0, 1, 1, 2]
