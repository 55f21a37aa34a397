"""Makes the faces that rigs are tuned with: ``python -m freeavatar.tools.builtin_faces FOLDER…``.

They ship with the tools, so that tuning needs no data of one's own: pictures of rendered heads
(MakeHuman, ICT-FaceKit, VALID; no photograph of anyone) from shards of ``freeavatar data avatars``,
packed small. Faces to judge by show other people than those to learn from.
"""

import argparse
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from freeavatar.foundation.samples import Sample, pack
from freeavatar.foundation.training.shard_index import ShardIndex

from .training.rig_tuning import FACES

COUNTS = {"train": 360, "validation": 96}
QUALITY = 72
"""Of the JPEG pictures: a third of a training shard's bytes."""


def main() -> int:
    """Write the shards; what lay there is replaced."""
    parser = argparse.ArgumentParser(description=__doc__.split(":", 1)[0])
    parser.add_argument("folders", type=Path, nargs="+", help="shards of freeavatar data avatars")
    folders = parser.parse_args().folders
    FACES.mkdir(parents=True, exist_ok=True)
    for split, count in COUNTS.items():
        index = ShardIndex(folders, split)
        rows = np.random.default_rng(0).permutation(len(index))
        samples = (index.sample(int(row)) for row in rows)
        faces = (s for s in samples if s.face and np.isfinite(s.blendshapes).any())
        chosen = [sample for sample, _ in zip(faces, range(count), strict=False)]
        path = FACES / f"{split}-000000.tar"
        with tarfile.open(path, "w") as tar:
            for number, sample in enumerate(chosen):
                _add(tar, sample, f"{split}-{number:09d}")
        print(f"{path.name}: {len(chosen)} faces, {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _add(tar: tarfile.TarFile, sample: Sample, key: str) -> None:
    record = dict(pack(sample, key))
    picture = sample.picture[..., ::-1]
    record["jpg"] = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))[1].tobytes()
    for ending in ("jpg", "npy", "json"):
        data = record[ending]
        assert isinstance(data, bytes)
        member = tarfile.TarInfo(f"{key}.{ending}")
        member.size = len(data)
        tar.addfile(member, BytesIO(data))


if __name__ == "__main__":
    sys.exit(main())
