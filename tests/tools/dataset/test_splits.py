"""People stay in their split, however their pictures are called."""

from collections import Counter

import pytest

from freeavatar.tools.dataset.splits import of_split, portrait_identity, split_of


def test_the_split_of_a_name_never_changes() -> None:
    """Fixed answers: a change here would let networks learn from people they are tested on."""
    names = [f"legislators/{n:06d}" for n in (267, 633, 660, 830, 835)]
    assert [split_of(n) for n in names] == ["test", "train", "train", "train", "train"]


def test_shares_are_about_as_documented() -> None:
    counts = Counter(split_of(f"people/{n}") for n in range(5000))
    assert counts["train"] / 5000 == pytest.approx(0.80, abs=0.02)
    assert counts["validation"] / 5000 == pytest.approx(0.08, abs=0.02)


@pytest.mark.parametrize(
    "name", ["valid/Black_M_1_Casual", "webmorph/composite__f_white", "composite__m_african"]
)
def test_faces_that_people_are_shown_are_test_faces(name: str) -> None:
    assert split_of(name) == "test"


def test_both_pictures_of_a_person_have_one_name() -> None:
    neutral = portrait_identity("webmorph", "neutral_front__001_03")
    smiling = portrait_identity("webmorph", "smiling_front__001_08")
    assert neutral == smiling == "webmorph/001"
    assert portrait_identity("webmorph", "lisa__lisa1") == portrait_identity(
        "webmorph", "lisa__lisa3"
    )
    assert portrait_identity("webmorph", "canada__008f") == "webmorph/canada__008f"


def test_a_mixed_person_is_of_its_parts_split_and_never_of_two() -> None:
    people = [f"people/{n}" for n in range(200)]
    train, test = of_split(people, "train"), of_split(people, "test")
    assert split_of(f"{train[0]}+{train[1]}+{train[2]}") == "train"
    with pytest.raises(ValueError, match="different splits: test, train"):
        split_of(f"{train[0]}+{test[0]}")


def test_no_name_is_refused() -> None:
    with pytest.raises(ValueError, match="without a name"):
        split_of("")
