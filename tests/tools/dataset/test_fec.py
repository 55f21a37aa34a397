"""Google's comparison data: read exactly, crops made, what is missing is said."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from freeavatar.foundation.crops import STORED_SIZE
from freeavatar.tools.cli import main
from freeavatar.tools.dataset import fec_pictures
from freeavatar.tools.dataset.errors import DataError
from freeavatar.tools.dataset.fec import Face, read_triplets
from freeavatar.tools.dataset.fec_pictures import build_fec, digest, download

GOOD = (
    '"http://a.org/1.jpg",0.1,0.5,0.2,0.6,"http://a.org/2.jpg",0,1,0,1,'
    '"http://a.org/3.jpg",0.25,0.75,0.25,0.75,"TWO_CLASS_TRIPLET","ann",3,"bob",3,"cyd",1'
)


def table(path: Path, *rows: str) -> Path:
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


def test_a_row_is_read_exactly(tmp_path: Path) -> None:
    (triplet,) = read_triplets(table(tmp_path / "t.csv", GOOD))
    assert triplet.faces[0] == Face("http://a.org/1.jpg", (0.1, 0.5, 0.2, 0.6))
    assert triplet.faces[2].box == (0.25, 0.75, 0.25, 0.75)
    assert triplet.kind == "TWO_CLASS_TRIPLET"
    assert triplet.votes == (("ann", 2), ("bob", 2), ("cyd", 0))
    assert triplet.odd == 2
    assert triplet.line == 1


def test_a_tie_has_no_odd_one(tmp_path: Path) -> None:
    row = GOOD.replace('"ann",3,"bob",3', '"ann",3').replace('"cyd",1', '"cyd",1')
    (triplet,) = read_triplets(table(tmp_path / "t.csv", row))
    assert triplet.odd is None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("0.1,0.5,0.2,0.6", "0.1,x,0.2,0.6", "no box of four numbers"),
        ("0.1,0.5,0.2,0.6", "0.5,0.1,0.2,0.6", r"not left, right, top, bottom in 0\.\.1"),
        ("0.1,0.5,0.2,0.6", "nan,0.1,0.2,0.6", r"not left, right, top, bottom in 0\.\.1"),
        ("http://a.org/1.jpg", "file:///etc/passwd", "no address of a picture"),
        ("TWO_CLASS_TRIPLET", "FOUR", "no type of triplet"),
        ('"cyd",1', '"cyd",4', "names none of the faces"),
        ('"ann",3,"bob",3,"cyd",1', "", "17 columns, at least 18 expected|nobody has compared"),
    ],
)
def test_a_broken_row_names_its_line(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in GOOD
    path = table(tmp_path / "t.csv", GOOD, GOOD.replace(old, new), GOOD)
    with pytest.raises(DataError, match=rf"t\.csv line 2: .*({reason})"):
        list(read_triplets(path))
    broken: list[tuple[int, str]] = []
    assert [triplet.line for triplet in read_triplets(path, broken)] == [1, 3]
    assert [line for line, _ in broken] == [2]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(["1.jpg", "2.jpg", f"{digest('http://a.org/3.jpg')}.png"]):
        picture = np.full((300, 400, 3), 30, np.uint8)
        picture[75:225, 100:300] = 120 + 40 * number
        cv2.imwrite(str(folder / name), picture)
    return folder


def test_crops_and_triplets_are_written(tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "out"
    report = build_fec(table(tmp_path / "t.csv", GOOD), out, pictures=pictures)
    assert (report.triplets, report.crops, report.incomplete) == (1, 3, 0)
    (line,) = [json.loads(text) for text in (out / "triplets.jsonl").read_text().splitlines()]
    assert line["odd"] == 2 and line["votes"] == [2, 2, 0]
    crops = [cv2.imread(str(out / "crops" / f"{name}.jpg")) for name in line["faces"]]
    assert all(crop.shape == (STORED_SIZE, STORED_SIZE, 3) for crop in crops)
    # The third box is the bright part of its picture: bright in the middle, dark around.
    assert crops[2][80, 80].min() > 180 and crops[2][4, 80].max() < 60


def test_what_is_missing_is_counted_and_written_down(tmp_path: Path, pictures: Path) -> None:
    (pictures / "1.jpg").unlink()
    (pictures / "2.jpg").write_bytes(b"no picture")
    path = table(tmp_path / "t.csv", GOOD, "broken", GOOD.replace("ann", "dan"))
    report = build_fec(path, tmp_path / "out", pictures=pictures)
    assert (report.triplets, report.incomplete) == (0, 2)
    said = "\n".join(report.lines())
    assert "1 not in the folder" in said and "1 not readable" in said
    assert "1 rows cannot be read; the first is line 2" in said
    with (tmp_path / "out" / "missing.csv").open() as file:
        reasons = dict(csv.reader(file))
    assert reasons["http://a.org/1.jpg"] == "not in the folder"
    assert reasons["line 2"].startswith("1 columns")
    # What was missing is tried again.
    cv2.imwrite(str(pictures / "1.jpg"), np.full((300, 400, 3), 99, np.uint8))
    cv2.imwrite(str(pictures / "2.jpg"), np.full((300, 400, 3), 99, np.uint8))
    assert build_fec(path, tmp_path / "out", pictures=pictures).triplets == 2


def test_downloads_are_asked_for_and_kept(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    coded = (pictures / "1.jpg").read_bytes()
    (pictures / "1.jpg").unlink()

    def fake(url: str) -> bytes:
        asked.append(url)
        return coded

    monkeypatch.setattr(fec_pictures, "download", fake)
    path = table(tmp_path / "t.csv", GOOD)
    assert build_fec(path, tmp_path / "out", pictures=pictures).triplets == 0
    assert asked == []
    assert build_fec(path, tmp_path / "out", pictures=pictures, fetch=True).triplets == 1
    assert build_fec(path, tmp_path / "out", pictures=pictures, fetch=True).triplets == 1
    assert asked == ["http://a.org/1.jpg"]


def test_a_download_is_https_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        def __enter__(self) -> "Answer":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self, count: int) -> bytes:
            return b"x" * count

    class Opener:
        def open(self, request: object, timeout: float) -> Answer:
            asked.append(request.full_url)  # type: ignore[attr-defined]
            return Answer()

    asked: list[str] = []
    monkeypatch.setattr(fec_pictures.urllib.request, "build_opener", lambda *_: Opener())
    with pytest.raises(ValueError, match="more than 20 MB"):
        download("http://a.org/1.jpg?x=1")
    assert asked == ["https://a.org/1.jpg?x=1"]


def test_the_command_reports_and_refuses_in_one_line(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = table(tmp_path / "t.csv", GOOD), tmp_path / "out"
    assert main(["data", "fec", str(path), "--pictures", str(pictures), "--out", str(out)]) == 0
    assert "1 triplets of 3 faces written" in capsys.readouterr().out
    empty = table(tmp_path / "e.csv", "url,box")
    assert main(["data", "fec", str(empty), "--out", str(out)]) == 1
    assert "holds no triplet of the comparison data; line 1: 2 columns" in capsys.readouterr().err
