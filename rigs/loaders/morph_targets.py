"""Which control each morph target of a glTF file is."""

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.document import Document
from freeavatar.rigs.gltf.fields import Fields, plain


def morph_target_names(document: Document) -> dict[int, tuple[str, ...]]:
    """Control name of every morph target, by mesh index.

    Names come from extras.targetNames of the mesh or of a primitive; targets without one are
    called morph_00, morph_01, ... through the whole file. The same name in two meshes is one
    control; twice in one mesh gets a number.

    Raises:
        RigError: primitives of one mesh have different numbers of targets.
    """
    found: dict[int, tuple[str, ...]] = {}
    unnamed = 0
    for index, mesh in enumerate(document.items("meshes")):
        primitives = mesh.objects("primitives")
        counts = {len(p.array("targets")) for p in primitives} or {0}
        if len(counts) > 1:
            raise RigError(
                f"{document.file}: primitives of {mesh.where} have {min(counts)} to "
                f"{max(counts)} morph targets; glTF wants the same number in each"
            )
        names: list[str] = []
        given = _given_names([mesh, *primitives])
        for number in range(counts.pop()):
            name = given[number] if number < len(given) else ""
            if not name:
                name = f"morph_{unnamed:02d}"
                unnamed += 1
            names.append(_unused(name, names))
        found[index] = tuple(names)
    return found


def _given_names(places: list[Fields]) -> list[str]:
    for fields in places:
        extras = fields.values.get("extras")
        names = extras.get("targetNames") if isinstance(extras, dict) else None
        if isinstance(names, list):
            return [plain(n) if isinstance(n, str) else "" for n in names]
    return []


def _unused(name: str, names: list[str]) -> str:
    number, candidate = 2, name
    while candidate in names:
        candidate, number = f"{name}_{number}", number + 1
    return candidate
