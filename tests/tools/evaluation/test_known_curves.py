"""Figures on rendered actors against truths that were computed by hand."""

import numpy as np
import pytest

from freeavatar.animator.calibration import LIMITS
from freeavatar.foundation.expression import BLENDSHAPES, Expression, Frame
from freeavatar.rigs import registry
from freeavatar.tools.evaluation.accuracy import channel_figures
from freeavatar.tools.evaluation.known_curves import (
    BOTH,
    STILL,
    TURNING,
    ActorFigures,
    actor_figures,
    dead_channels,
    mean_raw,
    mean_table,
    reader_figures,
    without_rest,
)
from freeavatar.tools.evaluation.rendered_actors import Moments, RigActor
from freeavatar.tools.evaluation.rendered_tables import RenderedReport
from freeavatar.tools.evaluation.steadiness import TURN

JAW, SMILE, TONGUE, BLINK = (
    BLENDSHAPES.index(n) for n in ("jawOpen", "mouthSmileLeft", "tongueOut", "eyeBlinkLeft")
)
COUNT = 20


def performance() -> np.ndarray:
    """(20, 52): jaw and smile move, each its own way; all else rests."""
    curves = np.zeros((COUNT, 52))
    curves[:, JAW] = np.linspace(0, 1, COUNT)
    curves[:, SMILE] = 0.4 * (np.arange(COUNT) % 2)
    return curves


class Knowing:
    """Says what it was told of each frame, or that there is no face."""

    def __init__(self, curves: np.ndarray | None) -> None:
        self._curves = curves

    def read(self, frame: Frame) -> Expression:
        if self._curves is None:
            return Expression(index=frame.index, time=frame.time, found=False)
        told = self._curves[frame.index % len(self._curves)].astype(np.float32)
        return Expression(index=frame.index, time=frame.time, found=True, blendshapes=told)

    def close(self) -> None:
        pass


def test_errors_and_correlations_are_those_computed_by_hand() -> None:
    truth = performance()
    truth[:, TONGUE] = np.nan
    read = 0.5 * performance()
    read[:, TONGUE] = 0.9
    turning = read.copy()
    turning[:5] = np.nan
    figures = reader_figures(truth, {STILL: read, TURNING: turning}, np.arange(COUNT), None)
    assert figures.found == pytest.approx(35 / 40)
    raw = figures.raw
    assert raw.live.sum() == 2 and np.isnan(raw.error[TONGUE])
    assert raw.correlation[[JAW, SMILE]] == pytest.approx([1.0, 1.0])
    both = np.r_[truth[:, JAW], truth[5:, JAW]]
    assert raw.error[JAW] == pytest.approx(0.5 * both.mean())
    assert raw.never_moving[JAW] == pytest.approx(both.mean())
    still = figures.channels[STILL]
    assert still.error[SMILE] == pytest.approx(0.1, abs=0.02)
    assert figures.channels[TURNING].pictures == 15 and figures.channels[BOTH].pictures == 35
    assert figures.dead == ()


def test_a_resting_face_is_taken_out_as_far_as_it_may_be() -> None:
    curves = np.zeros((COUNT, 52))
    curves[:, BLINK], curves[:, JAW] = 0.2, 0.2
    curves[3] = np.nan
    out = without_rest(curves, np.arange(COUNT) / 30)
    assert np.isnan(out[3]).all()
    known = np.delete(out, 3, axis=0)
    assert known[:, BLINK] == pytest.approx(0.0)
    assert known[:, JAW] == pytest.approx((0.2 - LIMITS[JAW]) / (1 - LIMITS[JAW]))


def test_a_perfect_reader_of_an_actor_who_never_rests_at_zero_has_no_error() -> None:
    truth = performance()
    truth[:, SMILE] += 0.3
    truth[:, TONGUE] = np.nan
    read = np.nan_to_num(truth)
    figures = reader_figures(truth, {STILL: read, TURNING: read}, np.arange(COUNT), None)
    channels = figures.channels[BOTH]
    assert channels.error[[JAW, SMILE]] == pytest.approx([0.0, 0.0])
    # Some of his smile was rest: it is no longer in what a motionless take misses.
    assert channels.never_moving[SMILE] < figures.raw.never_moving[SMILE] - 0.05
    assert np.isnan(channels.error[TONGUE])


def test_channels_that_do_not_follow_are_dead() -> None:
    truth, given = performance(), performance()
    given[:, JAW] = 0.3 + 0.001 * truth[:, JAW]
    given[:, SMILE] = 0.4 - given[:, SMILE]
    channels = channel_figures(truth, given)
    assert dead_channels(channels, given) == ("jawOpen", "mouthSmileLeft")
    assert dead_channels(channel_figures(truth, truth), truth) == ()


@pytest.mark.slow
def test_a_rig_performs_and_is_read_by_every_reader() -> None:
    curves = performance()[:12].astype(np.float32)
    moments = Moments(times=np.arange(12.0), curves=curves)
    rig = registry.load("mannequin")
    readers = {"half": lambda: Knowing(0.5 * curves), "blind": lambda: Knowing(None)}
    done: list[int] = []
    actor = actor_figures(RigActor(rig), moments, readers, tick=lambda: done.append(1))
    assert actor.name == "mannequin" and actor.shown == 52 and len(done) == 6
    half, blind = actor.readers["half"], actor.readers["blind"]
    assert half.found == 1.0 and blind.found == 0.0
    assert half.raw.table()["all"].correlation == pytest.approx(1.0)
    assert half.raw.error[JAW] == pytest.approx(0.5 * curves[:, JAW].mean())
    # What it says of the turning face: frame after frame of the same performance.
    told = 0.5 * curves[np.arange(2 * TURN + 1) % 12]
    moved = np.abs(told - told[TURN]).max(axis=0)
    assert half.turn is not None and half.turn.channel == "jawOpen"
    assert half.turn.largest == pytest.approx(moved[JAW])
    assert half.turn.mean == pytest.approx((moved[JAW] + moved[SMILE]) / 44)
    assert blind.turn is None and np.isnan(blind.channels[BOTH].table()["all"].error)
    worst = max(actor.worst, key=lambda frame: frame.error)
    assert len(actor.worst) == 20 and worst.caption.startswith("mannequin ")
    assert "jawOpen .2" in worst.caption and "/.58" in worst.caption

    report = RenderedReport(actors=[actor], readers=list(readers), frames=12)
    figures = report.summary()
    assert figures["mean"]["blind"]["both"]["all"]["error"] is None
    assert figures["mean"]["half"]["turn"] == half.turn.mean
    text = "\n".join(line for section in report.sections() for line in section.lines)
    assert "no face found" in text and "mannequin" in text
    sheet = report.sheet_section(rig)
    assert len(sheet.pictures) == 1


def test_means_are_those_over_actors_that_show_a_group() -> None:
    truth = performance()
    first = reader_figures(truth, {STILL: truth, TURNING: truth}, np.arange(COUNT), None)
    truth = performance()
    truth[:, JAW] = np.nan
    read = np.zeros_like(truth)
    second = reader_figures(truth, {STILL: read, TURNING: read}, np.arange(COUNT), None)
    actors = [
        ActorFigures(name=str(i), shown=52, readers={"one": figures}, worst=[])
        for i, figures in enumerate((first, second))
    ]
    table = mean_table(actors, "one", BOTH)
    assert table["jaw open"].never_moving == pytest.approx(0.5)
    assert table["smile"].error == pytest.approx(0.1, abs=0.02)
    assert table["smile"].correlation == pytest.approx(0.5, abs=0.02)
    assert np.isnan(table["tongue"].error)
    assert mean_raw(actors, "one")["smile"].error == pytest.approx(0.1)
