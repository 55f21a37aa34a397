"""Address templates: what they give, and errors that say what to type."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeavatar.bridge.addresses import fill_template, read_template
from freeavatar.bridge.osc_reading import read_osc
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.targets import open_target
from freeavatar.rigs.spec import Rig

PARTS = ("jaw%20open", "Grimace%2Fleft", "%68ead", "head", "eyes", "time", "found")


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ("", "/freeavatar/fox%202/{}"),
        ("?prefix=", "/freeavatar/fox%202/{}"),
        ("?prefix=/stage/{rig}", "/stage/fox%202/{}"),
        ("?address=/avatar/{rig}/{control}", "/avatar/fox%202/{}"),
        ("?address=avatar/{control}", "/avatar/{}"),
        ("?address=/{control}", "/{}"),
        ("?address=/a/FT_{control}/value", "/a/FT_{}/value"),
        ("?address=/{control}/{rig}/{rig}", "/{}/fox%202/fox%202"),
        ("?address=/a%25b/{control}", "/a%b/{}"),
        ("?prefix=&address=/x/{control}", "/x/{}"),
    ],
)
def test_every_address_follows_the_template(
    options: str, pattern: str, odd_rig: Rig, ear: Any, perform: Any
) -> None:
    sink = open_target(f"osc://127.0.0.1:{ear.port}{options}", odd_rig, rate=60)
    sink.send(perform(odd_rig, 1)[0])
    sent = [m.address for d in ear.heard() for m in read_osc(d)]
    assert sent == [pattern.format(part) for part in PARTS]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("address=/avatar/{rig}", "needs {control} where the control's name belongs"),
        ("address=", "needs {control}"),
        ("address=/a/{name}", "the address '/a/{name}' needs {control}"),
        ("address=/a/{name}/{control}", "unknown placeholder {name}"),
        ("address=/a/{}/{control}", "unknown placeholder {}"),
        ("address=/a/{rig.name}/{control}", "unknown placeholder {rig.name}"),
        ("address=/a/{control}}", "'}' cannot be part"),
        ("address=/a/{{control}", "'{' cannot be part"),
        ("address=/a b/{control}", "' ' cannot be part"),
        ("address=/a/*/{control}", "'*' cannot be part"),
        ("address=/é/{control}", "'é' cannot be part"),
        ("address=/a%00/{control}", r"'\x00' cannot be part"),
        ("address=/a//{control}", "has an empty part"),
        ("address=/a/{control}/", "has an empty part"),
        ("address=/a/{control}&prefix=/b", "leave ?prefix= out"),
        ("prefix=/a/{control}", "write ?address=/a/{control}"),
        ("prefix=/a/{name}", "unknown placeholder {name}"),
        ("prefix=//a", "has an empty part"),
        (f"address=/{'x' * 1500}/{{control}}", "too long to send"),
    ],
)
def test_wrong_templates_are_explained(options: str, complaint: str, odd_rig: Rig) -> None:
    with pytest.raises(BridgeError) as caught:
        open_target(f"osc://127.0.0.1:9?{options}", odd_rig, rate=60)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=30), st.text(min_size=1, max_size=8))
def test_a_template_gives_an_osc_address_or_one_error(text: str, name: str) -> None:
    try:
        template = read_template(f"{text}{{control}}")
    except BridgeError:
        return
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    filled = fill_template(template, name, "jawOpen")
    assert filled.startswith("/")
    assert all(33 <= ord(c) < 127 and c not in "#*,?[]{}" for c in filled)
    assert "//" not in filled
