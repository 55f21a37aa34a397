"""FreeAvatar receiver: an add-on for Blender 3.3 and newer.

Listens to what ``freeavatar live … --to osc://`` or ``--to vmc://`` sends, sets the shape keys of
the objects chosen when it was started, and records them as keyframes if asked. A frame is shown
when it is whole. Whatever arrives is untrusted: what is cut off, unknown or not finite is left out.
"""

import math
import socket
import struct
from typing import Any
from urllib.parse import unquote

import bpy

bl_info = {
    "name": "FreeAvatar receiver",
    "version": (1, 0, 0),
    "blender": (3, 3, 0),
    "category": "Animation",
}

PICTURE_SECONDS = 1 / 60
PACKETS_A_PICTURE = 256
DEEPEST_BUNDLE = 8
BUNDLE_HEADER = 16  # "#bundle", its zero byte and the time tag


class Receiver:
    """One socket, the frame that is arriving on it, and the objects that show whole ones."""

    def __init__(self, host: str, port: int, objects: list[str], prefix: str = "") -> None:
        """Listen; OSError where the port is taken.

        Args:
            host, port: where to listen, 127.0.0.1 for this machine only.
            objects: names of the objects whose shape keys move.
            prefix: OSC address of one rig, such as ``/freeavatar/hero``; empty takes any.
        """
        self.objects = objects
        self.prefix = prefix
        keys = [key for name in objects if (key := shape_keys(name))]
        self.known = {block.name for key in keys for block in key.key_blocks}
        self.values: dict[str, float] = {}
        self.time = 0.0
        self.whole: dict[str, float] | None = None
        self.origin: tuple[int, float] | None = None  # frame and time at which recording began
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, port))

    def show_latest(self, scene: Any) -> bool:
        """Read what arrived and show the latest whole frame; False where there is none."""
        for _ in range(PACKETS_A_PICTURE):
            try:
                packet = self.socket.recv(65535)
            except OSError:
                break
            for address, values in read_osc(packet):
                self.hear(address, values)
        whole, self.whole = self.whole, None
        if whole is not None:
            show(whole, self.objects, self._keyframe(scene))
        return whole is not None

    def _keyframe(self, scene: Any) -> int | None:
        if not scene.freeavatar_record:
            self.origin = None
            return None
        if self.origin is None or self.time < self.origin[1]:
            self.origin = (scene.frame_current, self.time)
        first, began = self.origin
        rate = float(scene.render.fps / scene.render.fps_base)
        return first + round((self.time - began) * rate)

    def hear(self, address: str, values: list[Any]) -> None:
        """Take one message of the frame that is arriving."""
        if address.startswith("/VMC/Ext/"):
            self._hear_vmc(address[9:], values)
        else:
            self._hear_osc(address, values)

    def _hear_osc(self, address: str, values: list[Any]) -> None:
        start, _, name = address.rpartition("/")
        if start != self.prefix and (self.prefix or not start.startswith("/freeavatar/")):
            return
        if name == "time" and is_number(values[:1]):
            self.time = values[0]
        elif name == "found":
            self._finish()
        elif name not in ("head", "eyes", "time"):
            self._keep(unquote(name), values[:1])

    def _hear_vmc(self, address: str, values: list[Any]) -> None:
        if address == "T" and is_number(values[:1]):
            self.time = values[0]
        elif address == "Blend/Apply":
            self._finish()
        elif address == "Blend/Val" and values and isinstance(values[0], str):
            self._keep(values[0], values[1:2])

    def _keep(self, name: str, values: list[Any]) -> None:
        if is_number(values):
            # VMC says JawOpen where a mesh says jawOpen.
            same = {name} & self.known or {n for n in self.known if n.lower() == name.lower()}
            self.values.update(dict.fromkeys(same, values[0]))

    def _finish(self) -> None:
        self.whole, self.values = self.values, {}


def is_number(values: list[Any]) -> bool:
    """Whether it is one finite float."""
    return len(values) == 1 and isinstance(values[0], float) and math.isfinite(values[0])


def show(values: dict[str, float], objects: list[str], keyframe: int | None) -> None:
    """Set shape keys by name, and their keyframes where a frame number is given."""
    for keys in filter(None, map(shape_keys, objects)):
        for key in keys.key_blocks[1:]:
            if (value := values.get(key.name)) is None:
                continue
            key.slider_min = min(key.slider_min, value)  # Blender cuts values off at the slider's
            key.slider_max = max(key.slider_max, value)  # ends
            key.value = value
            if keyframe is not None:
                key.keyframe_insert("value", frame=keyframe)


def shape_keys(name: str) -> Any:
    """Shape keys of an object by its name; None where there are none."""
    found = bpy.data.objects.get(name)
    return getattr(found.data, "shape_keys", None) if found else None


# ---- OSC 1.0: i f s b T F, bundles in bundles


def read_osc(packet: bytes, depth: int = 0) -> list[tuple[str, list[Any]]]:
    """Addresses and arguments of a datagram's messages; what is broken is left out."""
    if not packet.startswith(b"#bundle\0"):
        message = read_message(packet)
        return [message] if message else []
    messages: list[tuple[str, list[Any]]] = []
    at = BUNDLE_HEADER
    while at + 4 <= len(packet) and depth < DEEPEST_BUNDLE:
        (size,) = struct.unpack_from(">i", packet, at)
        at += 4
        if size <= 0 or size % 4 or size > len(packet) - at:
            break
        messages += read_osc(packet[at : at + size], depth + 1)
        at += size
    return messages


def read_message(packet: bytes) -> tuple[str, list[Any]] | None:
    """Address and arguments of one message; None where it is broken or of unknown types."""
    try:
        address, at = read_text(packet, 0)
        tags, at = read_text(packet, at)
        if not address.startswith("/") or not tags.startswith(","):
            return None
        values: list[Any] = []
        for tag in tags[1:]:
            value, at = _READ[tag](packet, at)
            values.append(value)
    except (ValueError, KeyError, struct.error):
        return None
    return address, values


def read_text(packet: bytes, at: int) -> tuple[str, int]:
    """A text and where the next argument begins; ValueError where it is cut off or no UTF-8."""
    end = packet.index(b"\0", at)
    return packet[at:end].decode(), (end // 4 + 1) * 4


def read_blob(packet: bytes, at: int) -> tuple[bytes, int]:
    """Bytes and where the next argument begins; ValueError where they are cut off."""
    (size,) = struct.unpack_from(">i", packet, at)
    at += 4
    if not 0 <= size <= len(packet) - at:
        raise ValueError("the blob is cut off")
    return packet[at : at + size], at + (size + 3) // 4 * 4


_READ: dict[str, Any] = {
    "T": lambda packet, at: (True, at),
    "F": lambda packet, at: (False, at),
    "i": lambda packet, at: (struct.unpack_from(">i", packet, at)[0], at + 4),
    "f": lambda packet, at: (struct.unpack_from(">f", packet, at)[0], at + 4),
    "s": read_text,
    "b": read_blob,
}


# ---- Blender's side: two buttons and a timer; it asks for class names like these

_running: Receiver | None = None


def tick() -> float | None:
    """Show the latest frame; called by Blender's timer until there is no receiver."""
    if _running:
        _running.show_latest(bpy.context.scene)
    return PICTURE_SECONDS if _running else None


class FREEAVATAR_OT_start(bpy.types.Operator):  # type: ignore[misc]  # noqa: N801
    """Move the shape keys of the selected objects, or of all where none is selected"""

    bl_idname = "freeavatar.start"
    bl_label = "Start"

    def execute(self, context: Any) -> set[str]:
        """Begin to listen."""
        global _running
        stop()
        scene = context.scene
        selected = [o.name for o in context.selected_objects if shape_keys(o.name)]
        objects = selected or [o.name for o in scene.objects if shape_keys(o.name)]
        if not objects:
            self.report({"ERROR"}, "No object has shape keys: import the character first")
            return {"CANCELLED"}
        host, port = "0.0.0.0" if scene.freeavatar_others else "127.0.0.1", scene.freeavatar_port
        try:
            _running = Receiver(host, port, objects, scene.freeavatar_prefix)
        except OSError:
            self.report({"ERROR"}, f"Port {port} is taken: choose another")
            return {"CANCELLED"}
        bpy.app.timers.register(tick, persistent=True)
        return {"FINISHED"}


class FREEAVATAR_OT_stop(bpy.types.Operator):  # type: ignore[misc]  # noqa: N801
    """Stop listening; the face stays as it is"""

    bl_idname = "freeavatar.stop"
    bl_label = "Stop"

    def execute(self, _: Any) -> set[str]:
        """Release the port."""
        stop()
        return {"FINISHED"}


class FREEAVATAR_PT_panel(bpy.types.Panel):  # type: ignore[misc]  # noqa: N801
    """Port, start and stop, in the sidebar of the 3D view."""

    bl_label = "FreeAvatar"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FreeAvatar"

    def draw(self, context: Any) -> None:
        """Lay out the panel."""
        for name in SETTINGS:
            self.layout.prop(context.scene, f"freeavatar_{name}")
        row = self.layout.row(align=True)
        row.operator("freeavatar.start", depress=_running is not None)
        row.operator("freeavatar.stop")


def stop() -> None:
    """Release the port, if any."""
    global _running
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    if _running:
        _running.socket.close()
    _running = None


SETTINGS = ("port", "prefix", "others", "record")
CLASSES = (FREEAVATAR_OT_start, FREEAVATAR_OT_stop, FREEAVATAR_PT_panel)


def register() -> None:
    """Add the panel; Blender calls it when the add-on is switched on."""
    for added in CLASSES:
        bpy.utils.register_class(added)
    props, scene = bpy.props, bpy.types.Scene
    scene.freeavatar_port = props.IntProperty(name="Port", default=9000, min=1, max=65535)
    about = "OSC address of one rig, such as /freeavatar/hero; empty takes whichever comes"
    scene.freeavatar_prefix = props.StringProperty(name="Only", description=about)
    scene.freeavatar_others = props.BoolProperty(name="Hear other machines")
    scene.freeavatar_record = props.BoolProperty(name="Record keyframes")


def unregister() -> None:
    """Remove the panel and release the port."""
    stop()
    for name in SETTINGS:
        delattr(bpy.types.Scene, f"freeavatar_{name}")
    for added in CLASSES:
        bpy.utils.unregister_class(added)


if __name__ == "__main__":  # run from Blender's text editor
    register()
