"""The preview keeps to thirty pictures a second, at the times of the source."""

from pathlib import Path

import av
import numpy as np
import pytest

from freeavatar.foundation.expression import Expression
from freeavatar.rigs import registry
from freeavatar.rigs.spec import RigFrame
from freeavatar.tools.preview import Preview


@pytest.mark.parametrize(("rate", "shown"), [(24.0, 24), (30.0, 30), (60.0, 30), (50.0, 25)])
def test_fast_sources_are_shown_at_up_to_thirty_a_second(
    rate: float, shown: int, tmp_path: Path
) -> None:
    rig = registry.load("toon")
    preview = Preview(tmp_path / "p.mp4", [rig], rate=rate, size=64)
    for i in range(round(rate)):
        time = i / rate + (0.4 / rate if rate <= 30 and i % 7 == 3 else 0.0)
        expression = Expression(index=i, time=time, found=True)
        preview.show(None, expression, [RigFrame(index=i, time=i / rate, values=rig.neutral)])
    preview.close()
    with av.open(str(tmp_path / "p.mp4")) as film:
        times = [f.time for f in film.decode(video=0)]
    assert len(times) == shown if rate <= 30 else abs(len(times) - shown) <= 1
    assert np.diff(times).max() < 1.5 / min(rate, 30)
    assert times[-1] > 1.0 - 2.1 / min(rate, 30)


def test_a_discarded_preview_leaves_what_was_there(tmp_path: Path) -> None:
    rig = registry.load("arkit")
    (tmp_path / "p.mp4").write_bytes(b"an earlier film")
    preview = Preview(tmp_path / "p.mp4", [rig], rate=30.0, size=64)
    frame = RigFrame(index=0, time=0.0, values=rig.neutral)
    preview.show(None, Expression(index=0, time=0.0, found=True), [frame])
    assert preview.growing.exists()
    preview.discard()
    assert list(tmp_path.iterdir()) == [tmp_path / "p.mp4"]
    assert (tmp_path / "p.mp4").read_bytes() == b"an earlier film"
