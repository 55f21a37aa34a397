"""USD takes: the rig with its performance as UsdSkel, for stage tools, engines and renderers.

``/<rig>`` is a SkelRoot with the mesh, its BlendShapes, a Skeleton (root, head, eyes) and the
SkelAnimation that holds the take; a rig without a mesh gives the SkelAnimation alone. Blend shape
weights are 0 at a control's neutral value and 1 at its maximum. What USD has no place for (names
as the rig spells them, ranges, numbers of source frames, whether a face was found) lies in
custom data and attributes called ``freeavatar``, so that a take reads back as it was.

Source: OpenUSD documentation, UsdSkel schemas.
"""

from pathlib import Path

from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.spec import Rig, Take

from .whole import WholeWriter, recover_whole, replacing


class UsdWriter(WholeWriter):
    """Keeps frames in a journal and writes the USD file when closed; a `Sink`."""

    def __init__(self, path: Path, rig: Rig, *, rate: float, subject: str = "") -> None:
        """Start the journal.

        Args:
            path: ``.usda`` (text), ``.usdc`` or ``.usd`` (both binary).
            rig: whose frames will come; with or without a mesh.
            rate: nominal frames per second; time codes count frames of it.
            subject: whom the take shows.

        Raises:
            BridgeError: usd-core is not installed, or the journal cannot be written.
        """
        require_usd(path)
        super().__init__(path, rig, write_usd_take, rate=rate, subject=subject)


def require_usd(path: Path) -> None:
    """Refuse where the USD library is missing.

    Raises:
        BridgeError: it is; the message says what to install.
    """
    try:
        import pxr.UsdSkel  # noqa: F401
    except ImportError as error:
        raise BridgeError(
            f"{path}: USD takes need the USD library: pip install 'freeavatar[usd]'"
        ) from error


def recover_usd(path: Path, rig: Rig) -> Path | None:
    """Turn the journal an interrupted run left into a take, ``take.recovered.usda`` and so on.

    Returns:
        The recovered take, the journal of another rig set aside, or None where nothing was left.

    Raises:
        BridgeError: usd-core is not installed, another run is writing the take, or the recovered
            take cannot be written.
    """
    return recover_whole(path, rig, write_usd_take)


def write_usd_take(path: Path, rig: Rig, take: Take) -> None:
    """Write a take of a rig as USD, whole or not at all; its time codes begin at 0.

    Frames whose time is not after the one before are left out.

    Raises:
        BridgeError: usd-core is not installed, or the file cannot be written.
    """
    require_usd(path)
    from pxr import Tf

    from .usd_stage import take_stage

    stage = take_stage(rig, take)
    with replacing(path) as unfinished:
        try:
            done = stage.GetRootLayer().Export(str(unfinished))
        except Tf.ErrorException:
            done = False
        if not done:
            raise BridgeError(
                f"cannot write {path}: is the disk full? The take is kept in its .part"
            )


def read_usd(path: Path) -> Take:
    """Read the first animation of blend shapes of a USD file.

    Files by other programs give their blend shapes; head and eyes are read from our own only,
    since elsewhere nothing says which way a joint's axes point. Layers that the file refers to
    are not opened.

    Raises:
        BridgeError: usd-core is not installed, or the file is damaged or has no such animation.
    """
    require_usd(path)
    from pxr import Tf

    from .usd_reader import take_of_layer

    try:
        return take_of_layer(path)
    except (Tf.ErrorException, UnicodeDecodeError) as error:
        # Binary files are unpacked value by value, so damage may show late.
        raise BridgeError(f"{path}: no USD file, or a damaged one") from error
