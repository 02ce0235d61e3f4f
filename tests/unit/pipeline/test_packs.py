"""Which rule packs hold for which edition of a DIP library."""

from __future__ import annotations

import pytest

from dipgate.pipeline.packs import compiled_packs, default_pack_names


@pytest.mark.parametrize(
    ("edition", "pack"), [("1.0", "dip-2.0"), ("2.0", "dip-2.0"), ("3.0", "dip-3.0")]
)
def test_every_edition_has_its_packs(edition: str, pack: str) -> None:
    assert default_pack_names(edition) == ("base", pack)
    assert [item.id for item in compiled_packs(default_pack_names(edition))] == ["base", pack]
