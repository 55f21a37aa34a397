"""Points as pictures: the same with torch and without, where they should be, differentiable."""

import numpy as np
import pytest
import torch

from freeavatar.renderer_net.appearance import Appearance
from freeavatar.renderer_net.dots import COVERAGE, MAPS
from freeavatar.renderer_net.numpy_splatting import STUDIO, PointPictures
from freeavatar.renderer_net.splatting import Points, rotation, studio_light
from freeavatar.rigs.rotation import matrix_from_angles

SIZE = 64


def drawn(
    appearance: Appearance, weights: torch.Tensor, head: torch.Tensor | None = None
) -> torch.Tensor:
    count = len(weights)
    still = torch.zeros(count, 3) if head is None else head
    eyes, light = torch.zeros(count, 2, 3), studio_light(count)
    return Points(appearance).maps(weights, still, eyes, light, SIZE)


def test_rotation_is_that_of_rigs() -> None:
    angles = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    ours = rotation(torch.tensor(angles)).numpy()
    np.testing.assert_allclose(ours, matrix_from_angles(angles), atol=1e-12)


def test_both_ways_of_drawing_agree(appearance: Appearance) -> None:
    make = np.random.default_rng(1)
    points, pictures = Points(appearance), PointPictures(appearance)
    for lens in (None, 0.25, 0.6):
        weights = make.random(3).astype(np.float32)
        head = make.uniform(-0.5, 0.5, 3).astype(np.float32)
        eyes = make.uniform(-0.4, 0.4, (2, 3)).astype(np.float32)
        light = STUDIO.copy()
        light[:4] = 0.5, -0.2, 1.2, 0.8
        light[4:7] = 1.0, 0.9, 0.7
        theirs = pictures.maps(weights, head, eyes, light, SIZE, lens)
        given = (torch.tensor(x)[None] for x in (weights, head, eyes, light))
        asked = None if lens is None else torch.tensor([lens])
        ours = points.maps(*given, SIZE, asked)[0].numpy()
        assert ours.shape == theirs.shape == (MAPS, SIZE, SIZE)
        assert np.abs(ours - theirs).mean() < 1e-5
        # A point that rounding puts into the next pixel may change a few of them.
        assert (np.abs(ours - theirs).max(axis=0) > 1e-3).mean() < 2e-3


def test_the_ball_is_where_the_camera_sees_it(appearance: Appearance) -> None:
    maps = drawn(appearance, torch.zeros(1, 3))[0]
    covered = maps[COVERAGE].numpy() > 0.5
    rows, columns = np.nonzero(covered)
    assert np.allclose((rows.mean(), columns.mean()), (SIZE - 1) / 2, atol=0.5)
    across = 2 * 0.1 / appearance.height * SIZE
    assert np.ptp(columns) + 1 == pytest.approx(across, abs=2.5)
    assert covered[SIZE // 2, SIZE // 2]
    assert not covered[0].any()


def test_controls_and_head_move_it(appearance: Appearance) -> None:
    weights = torch.tensor([[0.0, 0, 0], [0, 1, 0], [1, 0, 0]])
    covered = drawn(appearance, weights)[:, COVERAGE].numpy() > 0.5
    columns = [np.nonzero(c)[1].mean() for c in covered]
    assert columns[1] - columns[0] == pytest.approx(0.02 / appearance.height * SIZE, abs=0.5)
    tops = [np.nonzero(c)[0].min() for c in covered]
    assert tops[0] - tops[2] == pytest.approx(0.03 / appearance.height * SIZE, abs=1.5)
    still = torch.zeros(2, 3)
    turned = drawn(appearance, still, torch.tensor([[0.0, 0, 0], [0.6, 0, 0]]))
    assert float((turned[0, :3] - turned[1, :3]).abs().max()) > 0.1


def test_what_lies_behind_does_not_shine_through(appearance: Appearance) -> None:
    maps = drawn(appearance, torch.zeros(1, 3))[0]
    middle = maps[3:6, SIZE // 2 - 4 : SIZE // 2 + 4, SIZE // 2 - 4 : SIZE // 2 + 4]
    assert float(middle[2].min()) > 0.8


def test_pictures_are_differentiable_in_the_weights(appearance: Appearance) -> None:
    weights = torch.tensor([[0.2, 0.1, 0.0]], requires_grad=True)
    target = drawn(appearance, torch.tensor([[0.2, 0.5, 0.0]])).detach()
    loss = (drawn(appearance, weights)[:, :3] - target[:, :3]).square().mean()
    loss.backward()
    assert weights.grad is not None
    # More of control 1 would bring the ball to where it should be; control 2 moves nothing.
    assert float(weights.grad[0, 1]) < 0
    assert float(weights.grad[0, 2]) == 0.0


def test_weights_of_another_rig_are_refused(appearance: Appearance) -> None:
    still = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="3 controls"):
        PointPictures(appearance).maps(
            np.zeros(4, np.float32), still, np.zeros((2, 3), np.float32), STUDIO, SIZE
        )
