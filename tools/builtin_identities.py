"""Describes the controls of the built-in rigs: ``python -m freeavatar.tools.builtin_identities``.

What is written ships beside the rigs, so that driving one needs no OpenGL. To be run again whenever
a built-in rig's GLB, its face points or the expression network changes. What a rig looks like is
left out, to keep the files small.
"""

import sys

from freeavatar.animator.control_pictures import foundation_view
from freeavatar.animator.descriptors import descriptors_of
from freeavatar.animator.identity import RigIdentity, identity_paths, write_identity
from freeavatar.rigs.built_in import BUILT_IN, load_built_in


def main() -> int:
    """Write NAME_identity.safetensors beside every built-in rig with a mesh."""
    view = foundation_view()
    for name, path in BUILT_IN.items():
        if path is None:
            continue
        rig = load_built_in(name)
        out = identity_paths(name)[-1]
        write_identity(rig, RigIdentity(descriptors=descriptors_of(rig, view)), out)
        count, size = len(rig.controls), out.stat().st_size
        print(f"{name}: {count} controls, {size / 1000:.0f} kB", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
