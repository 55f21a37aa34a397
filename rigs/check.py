"""What a technical artist should know about a rig before an actor drives it, in plain words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from .check_motion import Motion, is_resting
from .check_text import ALL, SOME, both_sides, counted, listed
from .conventions import ARKIT, CONVENTIONS
from .spec import JointRole, Rig

Severity = Literal["ok", "note", "warning"]

MANY_ARKIT = 26
"""ARKit controls from which on a rig is meant to be complete, so that missing ones matter."""
MANY_SILENT = 0.25
"""Part of a rig's controls that stay neutral from which on that is worth a warning."""
HEAD_HEIGHTS = (0.12, 0.60)
"""Metres from chin to crown that need no remark: a child's to a large cartoon's."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing the check has to say."""

    severity: Severity
    topic: str
    """Stable keyword for scripts, such as "dead" or "symmetry"."""
    text: str
    """One plain sentence or two."""
    names: tuple[str, ...] = ()
    """Controls it is about, if any."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """All findings about one rig, in the order one wants to read them."""

    rig: str
    findings: tuple[Finding, ...]

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that should be looked into."""
        return tuple(f for f in self.findings if f.severity == "warning")

    def about(self, topic: str) -> tuple[Finding, ...]:
        """Findings on one topic."""
        return tuple(f for f in self.findings if f.topic == topic)

    def lines(self) -> list[str]:
        """For the terminal, one line a finding, the severity first, and a count at the end."""
        out = [f"{f.severity:<8} {f.text}" for f in self.findings]
        count = len(self.warnings)
        out.append(
            f"{self.rig}: no warnings" if not count
            else f"{self.rig}: {count} warning{'s' if count > 1 else ''}"
        )  # fmt: skip
        return out

    def to_dict(self) -> dict[str, Any]:
        """For scripts; only types that JSON has."""
        return {
            "rig": self.rig,
            "warnings": len(self.warnings),
            "findings": [
                {"severity": f.severity, "topic": f.topic, "text": f.text, "names": list(f.names)}
                for f in self.findings
            ],
        }


def check(rig: Rig) -> Report:
    """Look a rig over.

    Args:
        rig: as loaded; anchors are judged as they are, not searched for.

    Returns:
        What was found: names and their conventions, missing and dead controls, pairs, doubles,
        scale and axes, joints, gaze, face points, textures, and the reader's own notes.
    """
    return Report(rig=rig.name, findings=tuple(_Check(rig).findings()))


def _ok(topic: str, text: str, names: Sequence[str] = ()) -> Finding:
    return Finding(severity="ok", topic=topic, text=text, names=tuple(names))


def _note(topic: str, text: str, names: Sequence[str] = ()) -> Finding:
    return Finding(severity="note", topic=topic, text=text, names=tuple(names))


def _warning(topic: str, text: str, names: Sequence[str] = ()) -> Finding:
    return Finding(severity="warning", topic=topic, text=text, names=tuple(names))


@dataclass(frozen=True)
class _Check:
    rig: Rig

    @cached_property
    def motion(self) -> Motion | None:
        return Motion(self.rig) if self.rig.mesh is not None else None

    @cached_property
    def arkit(self) -> set[str]:
        """ARKit shapes that controls are named after."""
        return {n for c in self.rig.controls if c.convention == "arkit" for n in c.hub}

    @cached_property
    def said(self) -> set[str]:
        """ARKit shapes that the names of some controls cover."""
        return {name for control in self.rig.controls for name in control.hub}

    def findings(self) -> Iterator[Finding]:
        yield from self._names()
        yield from self._missing()
        if self.motion is None:
            yield _note("mesh", "No mesh: curves only, for an engine's own character.")
        else:
            yield from self._still(self.motion)
            yield from self._doubles(self.motion)
            yield from self._pairs(self.motion)
            yield from self._space(self.motion)
            yield from self._joints()
            yield from self._anchors()
            yield from self._surface()
        yield from (_note("reader", text) for text in self.rig.notes)
        if not self.rig.licence:
            yield _note("licence", "The file names no licence: make sure you may use it.")

    def _names(self) -> Iterator[Finding]:
        controls = self.rig.controls
        if not controls:
            yield _warning("controls", "No controls: nothing can be driven.")
            return
        yield _ok("controls", f"{counted(controls, 'control', 'controls')}.")
        for key, convention in CONVENTIONS.items():
            own = [c for c in controls if c.convention == key]
            if not own:
                continue
            names = [c.name for c in own]
            if key == "arkit":
                yield self._arkit(names)
            elif key == "words":
                yield _ok("convention", f"Plain words understood: {listed(names)}.", names)
            else:
                mapped = sum(bool(c.hub) for c in own)
                yield _ok(
                    "convention",
                    f"{len(own)} of {len(convention.controls)} {convention.title} names; "
                    f"{mapped} of them stand for ARKit shapes.",
                    names,
                )
        silent = [c.name for c in controls if not c.convention and not c.hub]
        if silent:
            text = f"{counted(silent, 'name follows', 'names follow')} no known convention: "
            text += f"{listed(silent)}."
            yield _note("unnamed", text, silent)

    def _arkit(self, names: Sequence[str]) -> Finding:
        own = [c for c in self.rig.controls if c.convention == "arkit"]
        halves = sorted({name for c in own for name, value in c.hub.items() if value < 1})
        split = f", {listed(halves)} in two halves" if halves else ""
        text = f"{len(self.arkit)} of {len(ARKIT)} ARKit controls{split}."
        return _ok("convention", text, names)

    def _missing(self) -> Iterator[Finding]:
        missing = [name for name in ARKIT if name not in self.said]
        if len(self.arkit) < MANY_ARKIT:
            text = f"By name, {len(self.said)} of the {len(ARKIT)} ARKit shapes are covered"
            # Eye joints look where these would.
            lacking = [n for n in missing if not (n.startswith("eyeLook") and self._has_eyes)]
            text += f", not {listed(both_sides(lacking), SOME)}." if self.said and lacking else "."
            yield _note("missing", text, missing)
        elif missing:
            by_joint = {n for n in missing if n.startswith("eyeLook") and self._has_eyes}
            make = _note if set(missing) <= by_joint | {"tongueOut"} else _warning
            text = f"{counted(missing, 'ARKit shape has', 'ARKit shapes have')} no control: "
            yield make("missing", f"{text}{listed(missing, ALL)}.", missing)

    def _still(self, motion: Motion) -> Iterator[Finding]:
        still = [self.rig.controls[k] for k in motion.still]
        gaze = [c.name for c in still if c.region == "gaze" and self._has_eyes]
        painted = [c.name for c in still if self._changes_materials(c.name)]
        known = {*gaze, *painted}
        rest = [c.name for c in still if c.name not in known and not is_resting(c.name)]
        if rest:
            text = f"{counted(rest, 'control moves', 'controls move')} nothing: "
            yield _warning("dead", f"{text}{listed(rest, ALL)}.", rest)
        if gaze:
            text = counted(gaze, "gaze control moves", "gaze controls move")
            text += " nothing; the eye joints turn the eyes instead."
            yield _note("gaze", text, gaze)
        if painted:
            text = "These change materials only, which is not shown here: "
            yield _note("materials", f"{text}{listed(painted)}.", painted)
        if not rest and not known:
            yield _ok("dead", "Every control moves something.")

    def _changes_materials(self, name: str) -> bool:
        """Whether a VRM expression of this name has binds to colours or textures."""
        return bool(self.rig.expressions.get(name, {}).get("material_binds"))

    def _doubles(self, motion: Motion) -> Iterator[Finding]:
        for group in motion.doubles:
            names = [self.rig.controls[k].name for k in group]
            yield _note("double", f"These controls move the same: {listed(names)}.", names)

    def _pairs(self, motion: Motion) -> Iterator[Finding]:
        if motion.pairs:
            yield _ok(
                "symmetry", f"{counted(motion.pairs, 'left/right pair', 'left/right pairs')}."
            )
        alone = [self.rig.controls[k].name for k in motion.one_sided]
        if alone:
            text = f"One side only, the mirror image is missing: {listed(alone, ALL)}."
            yield _warning("symmetry", text, alone)
        for left, right, ratio in motion.uneven:
            names = [self.rig.controls[left].name, self.rig.controls[right].name]
            yield _note(
                "symmetry",
                f"{names[0]} and {names[1]} differ in size by a factor {ratio:.1f}.",
                names,
            )
        crossed = [self.rig.controls[k].name for k in motion.crossed]
        if crossed:
            text = counted(
                crossed, "control named for one side moves", "controls named for one side move"
            )
            yield _warning("sides", f"{text} the other: {listed(crossed, ALL)}.", crossed)

    def _space(self, motion: Motion) -> Iterator[Finding]:
        tall = motion.head_height
        text = f"The head is {tall * 100:.1f} cm tall"
        if abs(self.rig.units_per_metre - 1) > 1e-6:
            text += f" (the file has {self.rig.units_per_metre:g} units per metre)"
        fits = HEAD_HEIGHTS[0] <= tall <= HEAD_HEIGHTS[1]
        yield _ok("scale", text + ".") if fits else _note("scale", text + ": unusual for a head.")
        yield _ok("axes", f"Up axis of the file: {self.rig.up_axis}.")

    @property
    def _has_eyes(self) -> bool:
        mesh = self.rig.mesh
        return mesh is not None and all(mesh.joint(r) for r in ("left_eye", "right_eye"))

    def _joints(self) -> Iterator[Finding]:
        roles: tuple[tuple[JointRole, str], ...] = (
            ("head", "head"), ("left_eye", "left eye"), ("right_eye", "right eye"), ("jaw", "jaw"),
        )  # fmt: skip
        mesh = self.rig.mesh
        found = [title for role, title in roles if mesh and mesh.joint(role)]
        if found:
            yield _ok("joints", f"Joints that turn: {', '.join(found)}.")
        else:
            yield _note("joints", "No joints: the head cannot turn.")
        looks = [c for c in self.rig.controls if c.region == "gaze" and c.hub]
        if not self._has_eyes and looks:
            shown = counted(looks, "control", "controls")
            yield _note("gaze", f"No eye joints: gaze is shown by {shown}.")
        elif not self._has_eyes:
            yield _note("gaze", "Neither eye joints nor gaze controls: the eyes cannot look.")

    def _anchors(self) -> Iterator[Finding]:
        anchors = self.rig.anchors
        if anchors is not None and anchors.found.any():
            count, total = int(anchors.found.sum()), len(anchors.names)
            yield _ok("anchors", f"{count} of {total} face points found: driven by what it moves.")
            return
        controls = self.rig.controls
        silent = [c.name for c in controls if not c.hub and not is_resting(c.name)]
        text = "No face points: driven by the names of its controls only"
        if silent:
            text += f"; {len(silent)} of {len(controls)} have no meaning by name and stay neutral"
        make = _warning if len(silent) > MANY_SILENT * len(controls) else _note
        yield make("anchors", text + ".", silent)

    def _surface(self) -> Iterator[Finding]:
        mesh = self.rig.mesh
        if mesh is None:
            return
        size = f"{len(mesh.vertices):,} vertices, {len(mesh.triangles):,} triangles"
        textures = {id(p.texture): p.texture for p in mesh.parts if p.texture is not None}
        largest = max((max(t.shape[:2]) for t in textures.values()), default=0)
        pictures = counted(list(textures), "texture", "textures")
        parts = counted(mesh.parts, "material", "materials")
        upto = f" up to {largest} px" if textures else ""
        yield _ok("surface", f"{size}, {parts}, {pictures}{upto}.")
