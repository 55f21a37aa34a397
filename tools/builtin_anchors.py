"""Finds the face points of the built-in rigs: ``python -m freeavatar.tools.builtin_anchors``.

They ship beside the rigs, so that driving one needs neither a landmark model nor OpenGL. To be run
again whenever a built-in rig's GLB changes.
"""

import sys
from dataclasses import replace

from freeavatar.animator.anchors import find_anchors
from freeavatar.foundation.bundle import find_bundle
from freeavatar.foundation.mediapipe_reader import landmark_finder
from freeavatar.rigs.built_in import BUILT_IN, anchors_path
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.rig_arrays import write_anchors


def main() -> int:
    """Write NAME.anchors.npz beside every built-in rig with a mesh; 1 if one has no face."""
    landmarks_of = landmark_finder(find_bundle())
    failed = 0
    for name, path in BUILT_IN.items():
        if path is None:
            continue
        rig = replace(load_rig(path, name), anchors=None)
        anchors = find_anchors(rig, landmarks_of)
        if anchors is None:
            print(f"{name}: no face found", file=sys.stderr)
            anchors_path(path).unlink(missing_ok=True)
            failed = 1
            continue
        write_anchors(anchors_path(path), anchors, rig.source_sha256)
        print(f"{name}: {anchors.found.sum()} of {len(anchors.names)} face points", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
