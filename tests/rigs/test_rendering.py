"""Pictures of rigs, drawn for real."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.rigs.contact_sheet import contact_sheet
from freeavatar.rigs.errors import RenderError
from freeavatar.rigs.rendering import BACKGROUND, Renderer
from freeavatar.rigs.spec import Control, Mesh, Part, Rig, RigFrame

MakeHead = Callable[..., Rig]
BEHIND = np.round(np.array(BACKGROUND) * 255)


@pytest.fixture(autouse=True, scope="module")
def _opengl() -> None:
    triangle = Mesh(
        vertices=np.eye(3, dtype=np.float32),
        triangles=np.array([[0, 1, 2]], np.int32),
        deltas=np.zeros((0, 3, 3), np.float32),
        parts=(Part(name="a", first_triangle=0, triangle_count=1),),
    )
    try:
        Renderer(Rig(name="probe", controls=(), mesh=triangle), size=(8, 8)).close()
    except RenderError as error:
        pytest.skip(f"no OpenGL here: {error}")


def at_rest(rig: Rig, **values: float) -> RigFrame:
    chosen = rig.neutral.copy()
    for name, value in values.items():
        chosen[rig.index[name]] = value
    return RigFrame(index=0, time=0.0, values=chosen)


def drawn(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W) where something other than the background is seen."""
    return np.abs(picture.astype(int) - BEHIND).max(axis=2) > 3


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("body", [False, True])
def test_the_head_fills_and_centres_the_picture(
    toy_head: MakeHead, scale: float, body: bool
) -> None:
    rig = toy_head(scale, body=body)
    with Renderer(rig, size=(200, 200)) as renderer:
        rows, columns = np.nonzero(drawn(renderer.picture(at_rest(rig))))
    left, right, top = columns.min(), columns.max(), rows.min()
    if body:
        # Only the head is framed: the trunk runs out of the picture at the bottom.
        assert rows.max() == 199
        left, right = np.nonzero(columns_of_top_half(rows, columns))[0][[0, -1]]
    assert abs((left + right) / 2 - 99.5) < 3
    assert 5 <= top < 40
    assert 100 < right - left < 195


def columns_of_top_half(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.bool_]:
    seen = np.zeros(200, np.bool_)
    seen[columns[rows < 90]] = True
    return seen


def test_a_wide_picture_shows_the_whole_head_undistorted(toy_head: MakeHead) -> None:
    rig = toy_head()
    with Renderer(rig, size=(301, 99)) as renderer:
        picture = renderer.picture(at_rest(rig))
    assert picture.shape == (99, 301, 3)
    rows, columns = np.nonzero(drawn(picture))
    assert rows.min() > 0
    assert np.ptp(columns) == pytest.approx(np.ptp(rows), abs=3)


def test_a_control_and_the_head_move_the_picture(toy_head: MakeHead) -> None:
    rig = toy_head()
    with Renderer(rig, size=(128, 128)) as renderer:
        neutral = renderer.picture(at_rest(rig))
        opened = renderer.picture(at_rest(rig, jawOpen=1.0))
        again = renderer.picture(at_rest(rig))
    assert np.array_equal(neutral, again)
    lower = np.nonzero(drawn(opened))[0].max() - np.nonzero(drawn(neutral))[0].max()
    # The jaw goes down by 2 cm of a head 20 cm high that covers about 100 pixels.
    assert 5 <= lower <= 14


def two_colours(first: Part, second: Part, rig: Rig) -> Rig:
    """The head's triangles shared by two parts, front half and back half by number."""
    assert rig.mesh is not None
    mesh = Mesh(
        vertices=rig.mesh.vertices,
        triangles=rig.mesh.triangles,
        deltas=rig.mesh.deltas,
        parts=(first, second),
        joints=rig.mesh.joints,
    )
    return Rig(name="two", controls=rig.controls, mesh=mesh)


def test_unlit_colours_are_exact_and_lit_ones_are_shaded(toy_head: MakeHead) -> None:
    head = toy_head()
    assert head.mesh is not None
    count = len(head.mesh.triangles)
    colour = np.array([200, 90, 20]) / 255
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    flat = (float(linear[0]), float(linear[1]), float(linear[2]), 1.0)
    upper = Part(name="unlit", first_triangle=0, triangle_count=count // 2, colour=flat, unlit=True)
    lower = Part(
        name="lit", first_triangle=count // 2, triangle_count=count - count // 2, colour=flat
    )
    rig = two_colours(upper, lower, head)
    with Renderer(rig, size=(160, 160)) as renderer:
        picture = renderer.picture(at_rest(rig))
    rows, columns = np.nonzero(drawn(picture))
    middle = int(np.median(columns))
    above = picture[rows.min() + 5 : rows.min() + 40, middle - 15 : middle + 15].reshape(-1, 3)
    assert np.abs(above.astype(int) - [200, 90, 20]).max() <= 1
    below = picture[rows.max() - 40 : rows.max() - 5, middle].astype(int)
    assert np.ptp(below[:, 0]) > 15


def test_textures_are_upright_and_clear_texels_show_what_lies_behind() -> None:
    corners = np.array([[-1, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]], np.float32)
    vertices = np.vstack([corners, corners + np.array([0, 0, -0.5], np.float32)])
    triangles = np.array([[0, 3, 1], [1, 3, 2], [4, 7, 5], [5, 7, 6]], np.int32)
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[:32, :32] = [255, 0, 0, 255]
    picture[:32, 32:] = [0, 255, 0, 255]
    uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1]] * 2, np.float32)
    front = Part(
        name="front", first_triangle=0, triangle_count=2, colour=(1, 1, 1, 1), texture=picture,
        blend=True, unlit=True,
    )  # fmt: skip
    back = Part(name="back", first_triangle=2, triangle_count=2, colour=(0, 0, 1, 1), unlit=True)
    mesh = Mesh(
        vertices=vertices, triangles=triangles, deltas=np.zeros((0, 8, 3), np.float32),
        parts=(front, back), uvs=uvs,
    )  # fmt: skip
    rig = Rig(name="cards", controls=(), mesh=mesh)
    with Renderer(rig, size=(100, 100)) as renderer:
        seen = renderer.picture(at_rest(rig)).astype(int)
    assert seen[30, 30].tolist() == [255, 0, 0]
    assert seen[30, 70].tolist() == [0, 255, 0]
    assert seen[70, 30].tolist() == [0, 0, 255]


@pytest.mark.parametrize("double_sided", [False, True])
def test_only_double_sided_parts_are_seen_from_behind(
    toy_head: MakeHead, double_sided: bool
) -> None:
    head = toy_head()
    assert head.mesh is not None
    mesh = Mesh(
        vertices=head.mesh.vertices,
        triangles=np.ascontiguousarray(head.mesh.triangles[:, ::-1]),
        deltas=head.mesh.deltas,
        parts=(
            Part(
                name="a", first_triangle=0, triangle_count=len(head.mesh.triangles),
                double_sided=double_sided, colour=(0.5, 0.5, 0.5, 1),
            ),
        ),
    )  # fmt: skip
    rig = Rig(name="inside-out", controls=head.controls, mesh=mesh)
    with Renderer(rig, size=(96, 96)) as renderer:
        inside = renderer.picture(at_rest(rig))
        hit = renderer.surface(mesh.vertices).locate(np.array([[48.0, 48.0]]))[2][0]
        depth_front = renderer.surface(mesh.vertices)
    assert hit
    corners, weights, _ = depth_front.locate(np.array([[48.0, 48.0]]))
    z = float((mesh.vertices[corners[0], 2] * weights[0]).sum())
    # Single-sided triangles that face away are looked through: the far wall is seen instead.
    assert (z > 0) == double_sided
    assert inside[48, 48].max() > BEHIND.max() + 5


def test_several_renderers_live_and_close_in_any_order(toy_head: MakeHead) -> None:
    rigs = [toy_head(s) for s in (0.5, 1.0, 2.0)]
    renderers = [Renderer(rig, size=(64, 64)) for rig in rigs]
    first = [r.picture(at_rest(rig)) for r, rig in zip(renderers, rigs, strict=True)]
    renderers[0].close()
    renderers[0].close()
    assert np.array_equal(renderers[1].picture(at_rest(rigs[1])), first[1])
    renderers[2].close()
    fresh = Renderer(rigs[0], size=(64, 64))
    assert np.array_equal(renderers[1].picture(at_rest(rigs[1])), first[1])
    assert np.array_equal(fresh.picture(at_rest(rigs[0])), first[0])
    fresh.close()
    renderers[1].close()
    with pytest.raises(RenderError, match="closed"):
        renderers[1].picture(at_rest(rigs[1]))


def test_a_renderer_made_here_draws_in_another_thread(toy_head: MakeHead) -> None:
    rig = toy_head()
    pictures: list[NDArray[np.uint8]] = []
    with Renderer(rig, size=(64, 64)) as renderer:
        here = renderer.picture(at_rest(rig))
        thread = threading.Thread(target=lambda: pictures.append(renderer.picture(at_rest(rig))))
        thread.start()
        thread.join()
        assert np.array_equal(renderer.picture(at_rest(rig)), here)
    assert np.array_equal(pictures[0], here)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_stays_flat(toy_head: MakeHead) -> None:
    rig = toy_head()
    with Renderer(rig, size=(64, 64)) as renderer:
        for _ in range(20):
            renderer.picture(at_rest(rig))
        before = resident_bytes()
        for i in range(500):
            renderer.picture(at_rest(rig, jawOpen=i / 500))
        during = resident_bytes()
    assert during - before < 4e6


def test_a_rig_without_mesh_is_refused_in_one_line() -> None:
    with pytest.raises(RenderError, match=r"^rig curves has no mesh"):
        Renderer(Rig(name="curves", controls=(Control(name="jawOpen"),)))


def test_absent_opengl_ends_in_one_line_that_says_what_to_install() -> None:
    code = (
        "import numpy as np\n"
        "from freeavatar.rigs.rendering import Renderer\n"
        "from freeavatar.rigs.errors import RenderError\n"
        "from freeavatar.rigs.spec import Mesh, Part, Rig\n"
        "m = Mesh(vertices=np.eye(3, dtype=np.float32), triangles=np.array([[0, 1, 2]], np.int32),"
        " deltas=np.zeros((0, 3, 3), np.float32),"
        " parts=(Part(name='a', first_triangle=0, triangle_count=1),))\n"
        "try:\n"
        "    Renderer(Rig(name='r', controls=(), mesh=m))\n"
        "except RenderError as error:\n"
        "    print(error)\n"
    )
    # A platform that cannot be there stands for a machine without a driver.
    environment = {**os.environ, "PYOPENGL_PLATFORM": "egl", "EGL_DEVICE_ID": "99"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert "apt-get install" in done.stdout


def test_the_contact_sheet_shows_every_control_and_marks_dead_ones(toy_head: MakeHead) -> None:
    rig = toy_head()
    drawn: list[int] = []
    picture = contact_sheet(rig, cell=96, columns=3, progress=lambda: drawn.append(1))
    sheet = np.asarray(picture).astype(int)
    assert len(drawn) == len(rig.controls) + 1
    assert sheet.shape[1] == 3 * 96
    top = sheet.shape[0] - 96 - 19
    neutral, jaw, dead = (sheet[top : top + 96, i * 96 : (i + 1) * 96] for i in range(3))
    lower = slice(50, 96)
    assert np.abs(jaw[lower] - neutral[lower]).max() > 40
    # The shade in hollows reaches a little beyond what moves.
    assert np.abs(jaw[:30] - neutral[:30]).max() <= 4
    # The dead one is the neutral, crossed out in red.
    changed = np.abs(dead - neutral).max(axis=2) > 0
    assert 100 < changed.sum() < 96 * 96 / 4
    assert (dead[changed] == [232, 93, 64]).all(axis=1).mean() > 0.8
