"""The preview film of a run: the actor beside every rig."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from freeavatar.bridge.movie import PreviewFilm
from freeavatar.bridge.sink import BridgeError
from freeavatar.foundation.expression import Expression, Frame
from freeavatar.rigs import registry
from freeavatar.rigs.spec import Rig, RigFrame

from .drawing import Drawing, open_renderer

log = logging.getLogger(__name__)

STAND_IN = "mannequin"
"""Shows the curves of rigs that have no mesh; it has the same 52 controls as `arkit`."""
FASTEST = 30.0
"""Pictures a second at most: drawing costs far more than everything else together."""


@dataclass
class Preview:
    """Draws every rig, at most `FASTEST` times a second; the film begins with the first frame.

    Args:
        path: of the film.
        rigs: in the order of the poses given to `show`.
        rate: nominal frames per second.
        size: pixels a side of a rig's panel.
        audio: recording whose sound goes under the film.
        start: time that becomes the film's 0, seconds.

    Raises:
        RenderError: there is neither OpenGL nor the neural renderer here.
        BridgeError: the path cannot be a film.
    """

    path: Path
    rigs: Sequence[Rig]
    rate: float
    size: int
    audio: Path | None = None
    start: float = 0.0
    error: str = ""
    """Why the film was given up while the run went on; empty while it works."""
    _stack: ExitStack = field(default_factory=ExitStack, init=False)
    _renderers: list[Drawing] = field(default_factory=list, init=False)
    _film: PreviewFilm | None = field(default=None, init=False)
    _due: float = field(default=float("-inf"), init=False)

    def __post_init__(self) -> None:
        for rig in self.rigs:
            shown = rig if rig.mesh is not None else registry.load(STAND_IN)
            renderer = open_renderer(shown, side=self.size)
            self._renderers.append(self._stack.enter_context(renderer))

    def show(self, frame: Frame | None, expression: Expression, poses: Sequence[RigFrame]) -> None:
        """Add one moment to the film; one that cannot be written any more is given up.

        Raises:
            BridgeError: the film cannot be begun.
        """
        if self.error:
            return
        # Slower sources show every frame, also where their times jitter.
        if self.rate > 1.02 * FASTEST and expression.time < self._due - 0.5 / self.rate:
            return
        self._due = max(self._due, expression.time) + 1.0 / FASTEST
        film = self._film or self._open(frame)
        pictures = [] if frame is None else [frame.picture]
        pictures += [r.picture(p) for r, p in zip(self._renderers, poses, strict=True)]
        try:
            film.add(pictures, expression.time, found=expression.found)
        except BridgeError as error:
            self._give_up(error)

    def close(self) -> None:
        """Finish the film and give it its name; a failure is kept in `error`."""
        self._finish()
        if self.growing.exists():
            self.growing.replace(self.path)

    def discard(self) -> None:
        """Close, and leave no film; one that an earlier run made stays."""
        self._finish()
        self.growing.unlink(missing_ok=True)

    @property
    def growing(self) -> Path:
        """What the film is called until it is finished: ``NAME.part.mp4``, playable as it is."""
        return self.path.with_stem(f"{self.path.stem}.part")

    def _finish(self) -> None:
        self._stack.close()
        film, self._film = self._film, None
        if film is not None:
            try:
                film.close()
            except BridgeError as error:
                self._give_up(error)

    def _give_up(self, error: BridgeError) -> None:
        self.error = self.error or str(error)
        log.error("%s: given up, the rest goes on: %s", self.path, error)

    def _open(self, frame: Frame | None) -> PreviewFilm:
        actor = None if frame is None else (frame.picture.shape[1], frame.picture.shape[0])
        labels = [
            rig.name if rig.mesh is not None else f"{rig.name} (on {STAND_IN})" for rig in self.rigs
        ]
        self._film = PreviewFilm(
            self.growing,
            labels,
            rate=min(self.rate, FASTEST),
            panel=self.size,
            actor=actor,
            audio_source=self.audio,
            start=self.start,
        )
        return self._film
