"""Opening a state folder for work: site, store, catalogues and clock put together."""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from dipgate.config.policies import load_policy, policies_for
from dipgate.config.references import References
from dipgate.config.settings import Site, load_site
from dipgate.config.site_diff import keep_in_use
from dipgate.core.clock import CHINA, Clock
from dipgate.core.errors import ConfigError
from dipgate.core.events import LogEvent
from dipgate.core.policy_parts import DEFAULT_EDITION
from dipgate.core.reference import Hospital
from dipgate.pipeline import worklist_stage
from dipgate.pipeline.desk import Desk
from dipgate.security.eventlog import LogFile, log
from dipgate.service.clock import SystemClock
from dipgate.store import audit, map_proposals, open_store, registries


@contextmanager
def open_desk(
    state: Path, site_file: Path, *, read_only: bool = False, clock: Clock | None = None
) -> Iterator[Desk]:
    """Open a state folder with its site; closes the store at the end.

    Raises ConfigError when the site file is missing or wrong, or another process holds the folder.
    """
    clock = clock or SystemClock()
    site = load_site(site_file)
    with open_store(
        state,
        clock,
        owner=owner_name(),
        hospital_code=site.hospital.code or None,
        read_only=read_only,
    ) as store:
        with store.read() as conn:
            entered, approved = registries.in_force(conn), map_proposals.in_force(conn)
        edition = edition_of(site, state, clock)
        references = References(state, hospital_of(site), edition, desk=entered, maps=approved)
        desk = Desk(store, site, references, clock, actor=user_name())
        if read_only:
            yield desk
            return
        with LogFile(state, megabytes=site.log.megabytes, files=site.log.files):
            log(LogEvent.OPENED, epoch=store.epoch, version=version("dipgate"))
            if store.went_back:
                seconds = int(store.went_back.total_seconds())
                log(LogEvent.CLOCK_BACK, level=logging.WARNING, seconds=seconds)
            if keep_in_use(state, site, clock.now()):
                store.write(
                    lambda conn: audit.add(conn, clock.now(), desk.actor, "site.used", "site")
                )
            worklist_stage.bring_up(desk)
            yield desk
            log(LogEvent.CLOSED)


def hospital_of(site: Site) -> Hospital | None:
    """The hospital as far as it is filled in; None without a code."""
    own = site.hospital
    return Hospital(own.code, own.name, own.level, own.area_code) if own.code else None


def edition_of(site: Site, state: Path, clock: Clock) -> str:
    """The national edition that the site's present policy builds on; 2.0 when it has none."""
    if site.policy.id:
        return load_policy(site.policy.id, state=state).catalogue.edition
    today = clock.now().astimezone(CHINA).date()
    found = policies_for(site.hospital.area_code, today, state=state)
    return found[0].catalogue.edition if found else DEFAULT_EDITION


def owner_name() -> str:
    """Who holds the state folder: program and process."""
    return f"dipgate pid {os.getpid()}"


def user_name() -> str:
    """The operating system's user, for audit rows of acts from the command line."""
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise ConfigError("查不到当前系统用户名；设置环境变量 USER", path="USER") from error
