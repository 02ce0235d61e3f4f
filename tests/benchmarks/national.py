"""A month of the invented hospital on the national lists and a real city's library, in MariaDB."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

from dipgate.config.catalogues import activate_sample, import_catalogue
from dipgate.config.libraries import import_library
from dipgate.core.clock import Clock
from dipgate.core.record import ServerSpec, SourceSpec
from dipgate.core.reference import Hospital
from dipgate.demo.export_sql import SqlHospital, sql_source
from dipgate.demo.hospital import Hospital as Month
from dipgate.demo.run import Scene

VARIABLE = "DIPGATE_TEST_MARIADB"
USUAL = "mysql://root@127.0.0.1:3306/test"
FIRST_DAY = date(2025, 1, 1)
OWN = Hospital("H99010000001", "示例市第一人民医院", "3", "410400")
LISTS = {
    "icd10": "data/icd/icd10_nhsa_v2.csv",
    "icd9cm3": "data/icd/icd9cm3_nhsa_v2.csv",
    "icd10-map": "data/mapping/icd10_gl2_to_nhsa2.csv",
    "icd9cm3-map": "data/mapping/icd9cm3_gl3_to_nhsa2.csv",
    "not-principal": "standards/validation-data-not-principal.csv",
}
DIALECT = """\
extends: national
id: "410400"
title: 示例
settle_seconds: "0.5"
"""
"""The twin ends what it began at once: nobody has to wait two minutes after a cut."""
POLICY = """\
schema: dip-policy/1
extends: pingdingshan_2025
policy: {id: own}
catalogue: {library: city@2025}
"""


@contextmanager
def scene(shared: Path, *, defect_share: float = 0.3) -> Iterator[Scene]:
    """The hospital whose HIS is a new MariaDB database, dropped at the end."""
    where = urlsplit(os.environ.get(VARIABLE) or USUAL)
    name = f"dipgate_{uuid.uuid4().hex[:12]}"
    with closing(_connected(where, "")) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            server = ServerSpec(
                where.hostname or "127.0.0.1", where.port or 3306, name, where.username or "root"
            )

            def export(made: Month, folder: Path) -> SourceSpec:  # noqa: ARG001
                with closing(_connected(where, name)) as his:
                    hospital = SqlHospital(his, quote="`")
                    hospital.make(made.stays[0])
                    hospital.write(made.stays)
                    hospital.index()
                    his.commit()
                return sql_source("mariadb", server)

            def fill(state: Path, clock: Clock) -> None:
                fill_state(state, shared, clock)

            yield Scene(OWN, "own", (), "city", fill, export, defect_share, platform_site=True)
        finally:
            cursor.execute(f"DROP DATABASE {name}")


def _connected(where: Any, database: str) -> Any:
    return pymysql.connect(
        host=where.hostname or "127.0.0.1",
        port=where.port or 3306,
        user=unquote(where.username or "root"),
        password=unquote(where.password or ""),
        database=database or None,
        charset="utf8mb4",
        connect_timeout=5,
    )


def fill_state(state: Path, shared: Path, clock: Clock) -> None:
    """The sample's wards and staff beside the national lists, the city's library and policy."""
    activate_sample(state, clock.now())
    for kind, file in LISTS.items():
        import_catalogue(
            state, kind, "national", FIRST_DAY, shared / file, supersede=True, now=clock.now()
        )
    city = shared / "data/dip/pingdingshan_2025.csv"
    import_library(state, "city", "2025", FIRST_DAY, city, now=clock.now())
    (state / "policies").mkdir(exist_ok=True)
    (state / "policies" / "own.yaml").write_text(POLICY, encoding="utf-8")
    (state / "dialects").mkdir(exist_ok=True)
    (state / "dialects" / "410400.yaml").write_text(DIALECT, encoding="utf-8")
