"""The site file: strict, commented, and plain about what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dipgate.config.settings import (
    PLATFORM_SECRET,
    TEMPLATE,
    load_site,
    parse_site,
    platform_secret,
    render_template,
)
from dipgate.config.toml_lines import toml_lines
from dipgate.core.errors import ConfigError

FILE = Path("/srv/dipgate/site.toml")


def full_text() -> str:
    """The template with the commented examples switched on: they must be right too."""
    text = render_template(code="H99010000001", name='示例"市"医院', level="3", area_code="990100")
    text = text.replace("\n# [", "\n[").replace("\n# \n", "\n\n")
    return re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE)


def broken(old: str, new: str) -> ConfigError:
    text = full_text()
    assert old in text
    with pytest.raises(ConfigError) as caught:
        parse_site(text.replace(old, new, 1).encode(), file=FILE)
    return caught.value


def test_the_template_is_a_valid_site_file_with_nothing_filled_in() -> None:
    site = parse_site(TEMPLATE.encode(), file=FILE)
    assert site.platform.mode == "observe"
    assert site.missing() == (
        "hospital.code",
        "hospital.name",
        "hospital.level",
        "hospital.area_code",
    )
    assert site.dialect_name == "national"
    assert site.source_specs() == ()
    with pytest.raises(ConfigError, match=r"hospital\.code"):
        site.as_hospital()


def test_the_upload_limit_is_optional_and_a_whole_number_of_days() -> None:
    assert parse_site(TEMPLATE.encode(), file=FILE).desk.upload_days is None
    for bad in ("0", "367", '"10"', "1.5", "true"):
        error = broken("upload_days = 10", f"upload_days = {bad}")
        assert "desk.upload_days" in str(error)
    assert "upload_days" in str(broken("upload_days", "upload_day"))


def test_the_examples_in_the_template_are_valid_too() -> None:
    site = parse_site(full_text().encode(), file=FILE)
    (spec,) = site.source_specs()
    assert (spec.name, spec.kind, spec.charset, spec.edition) == ("his", "csv", "gb18030", "nhsa")
    assert spec.path == str(Path("/srv/dipgate/export").resolve())
    assert site.desk.upload_days == 10
    front = spec.tables["front_page"]
    assert front.object_name == "front_page*.csv"
    assert front.key == "住院流水号"
    assert front.columns["adm_time"] == "入院时间"
    assert front.repeats[0].count == 11
    assert "诊断编码11" in front.source_columns()
    assert set(spec.tables) == {"front_page", "settlement", "charge"}
    assert site.as_hospital().name == '示例"市"医院'
    assert site.dialect_name == "990100"
    assert site.platform.connect_seconds == 5


def test_every_key_of_the_models_stands_in_the_template() -> None:
    from dipgate.config import settings

    for model in (
        settings.HospitalSettings,
        settings.PlatformSettings,
        settings.PolicySettings,
        settings.DeskSettings,
        settings.WebSettings,
        settings.ScheduleSettings,
        settings.LogSettings,
        settings.SourceSettings,
        settings.ServerSettings,
        settings.LimitSettings,
        settings.TableSettings,
        settings.RepeatSettings,
    ):
        for name, field in model.model_fields.items():
            key = field.alias or name
            written = rf"^(# )?({key} = |\[+([\w.]+\.)?{key}[].])"
            assert re.search(written, TEMPLATE, re.MULTILINE), key


def test_the_schedule_has_defaults_and_backs_up_only_when_told_to() -> None:
    schedule = parse_site(b"", file=FILE).schedule
    assert (schedule.intake_minutes, schedule.pull_at, schedule.pull_minutes) == (10, "02:10", None)
    assert schedule.backup_at is None
    full = parse_site(full_text().encode(), file=FILE).schedule
    assert (full.pull_minutes, full.backup_at, full.backup_keep) == (60, "01:30", 7)


def test_an_absolute_path_stays() -> None:
    text = full_text().replace('path = "export"', 'path = "/data/his"')
    assert parse_site(text.encode(), file=FILE).source_specs()[0].path == "/data/his"


def test_a_byte_order_mark_is_allowed() -> None:
    assert parse_site(b"\xef\xbb\xbf" + TEMPLATE.encode(), file=FILE).sources == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('mode = "observe"', 'mod = "observe"', ["第{line}行", "platform.mod", "'mode'"]),
        ('mode = "observe"', 'mode = "on"', ["platform.mode", "'observe'、'shadow'、'live'"]),
        ("[policy]", "[polcy]", ["polcy", "'policy'"]),
        ('charset = "gb18030"', 'charset = "gb1803"', ["sources[0].charset", "gb18030"]),
        ('charset = "gb18030"', 'charset = "rot13"', ["sources[0].charset"]),
        ('kind = "csv"', 'knid = "csv"', ["sources[0].knid", "'kind'"]),
        ('edition = "nhsa"', 'edition = "2.0"', ["sources[0].edition", "'clinical'"]),
        ("count = 11", 'count = "eleven"', ["repeats[0].count", "应为整数"]),
        ("count = 11", "count = 1.5", ["repeats[0].count", "应为整数"]),
        ("count = 11", "count = 0", ["repeats[0].count", "应不小于 1"]),
        ("诊断编码{n}", "诊断编码", ["repeats[0].columns", "{n}"]),
        ('node = "diseinfo"', 'node = "diagnoses"', ["repeats[0].node", "'diseinfo'"]),
        ('object = "settlement*.csv"', 'objekt = "x"', ["settlement.objekt", "'object'"]),
        ("[sources.tables.charge]", "[sources.tables.charges]", ["第{line}行", "'charge'？"]),
        ('code = "H99010000001"', "code = 5", ["第{line}行", "hospital.code", "引号"]),
        ('code = "H99010000001"', 'code = "H99"', ["hospital.code", "12 位"]),
        ('area_code = "990100"', 'area_code = "9901"', ["hospital.area_code"]),
        ('host = "127.0.0.1"', 'host = "desk.example"', ["web.host", "IP 地址"]),
        ("port = 8136", "port = 81360", ["web.port", "65535"]),
        ("port = 8136", "prot = 8136", ["web.prot", "'port'"]),
        ('trusted_proxy = ""', 'trusted_proxy = "any"', ["web.trusted_proxy", "IP 地址"]),
        ("intake_minutes = 10", "intake_minutes = 0", ["schedule.intake_minutes", "不小于 1"]),
        ("intake_minutes = 10", "intake_minute = 10", ["intake_minute", "'intake_minutes'"]),
        ('pull_at = "02:10"', 'pull_at = "2:10"', ["schedule.pull_at", "02:10"]),
        ('pull_at = "02:10"', 'pull_at = "24:00"', ["schedule.pull_at", "时刻"]),
        ("pull_minutes = 60", "pull_minutes = 1441", ["schedule.pull_minutes", "1440"]),
        ('backup_at = "01:30"', "backup_at = 130", ["schedule.backup_at"]),
        ("backup_keep = 7", "backup_keep = 0", ["schedule.backup_keep"]),
        ('url = ""', 'url = "ftp://x"', ["platform.url", "http"]),
        ('url = ""', 'url = "http://me:pw@x/"', ["platform.url", "用户名"]),
        ('url = ""', 'url = "http://x:99999"', ["platform.url"]),
        ("connect_seconds = 5", "connect_seconds = -1", ["connect_seconds", "应大于 0"]),
        ("connect_seconds = 5", "connect_seconds = nan", ["connect_seconds"]),
        ('medins_fill_psn = ""', 'medins_fil_psn = ""', ["第{line}行", "'medins_fill_psn'"]),
        ('hsorg = ""', 'gend = "3"', ["fill.gend", "码表 gend"]),
        ('hsorg = ""', f'hsorg = "{"x" * 101}"', ["fill.hsorg", "最长 100"]),
        ("[policy]", "[policy", ["不是合法的 TOML", "第{line}行"]),
        ("[policy]", "[platform]", ["不是合法的 TOML"]),
        ('paasid = ""', 'paasid = "', ["不是合法的 TOML"]),
    ],
)
def test_each_mistake_is_named_with_place_and_remedy(old: str, new: str, says: list[str]) -> None:
    error = broken(old, new)
    assert str(FILE) in str(error)
    assert error.path
    text = full_text()
    line = text[: text.index(old)].count("\n") + 1
    for part in says:
        assert part.replace("{line}", str(line)) in str(error)


def test_many_mistakes_come_in_one_message() -> None:
    text = TEMPLATE.replace("mode =", "mod =").replace("level =", "lvel =")
    with pytest.raises(ConfigError, match=r"'level'.*'mode'"):
        parse_site(text.encode(), file=FILE)


@pytest.mark.parametrize("key", ["secret", "password", "SK"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(key: str) -> None:
    error = broken('paasid = ""', f'{key} = "hunter2"')
    assert PLATFORM_SECRET in str(error)
    assert "hunter2" not in str(error)


def test_another_charset_is_named_with_its_line() -> None:
    data = '[hospital]\nname = "市中心医院"\n'.encode("gb18030")
    with pytest.raises(ConfigError, match="第2行不是 UTF-8"):
        parse_site(data, file=FILE)


def test_an_empty_file_is_a_site_with_nothing_filled_in() -> None:
    site = parse_site(b"", file=FILE)
    assert dict(site.fill) == {}
    assert site.platform.mode == "observe"


def test_a_missing_file_points_to_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dipgate init"):
        load_site(tmp_path / "site.toml")
    with pytest.raises(ConfigError, match="读不了"):
        load_site(tmp_path)


def test_two_sources_of_one_name_and_a_source_without_bills() -> None:
    text = full_text()
    source = text[text.index("[[sources]]") :]
    with pytest.raises(ConfigError, match="同名"):
        parse_site((text + source).encode(), file=FILE)
    without = text[: text.index("[sources.tables.settlement]")]
    with pytest.raises(ConfigError, match="settlement"):
        parse_site(without.encode(), file=FILE)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "a\x7f"])
def test_control_characters_do_not_get_into_the_file(name: str) -> None:
    with pytest.raises(ConfigError, match="控制字符"):
        render_template(name=name)


def test_values_can_not_break_out_of_their_quotes() -> None:
    name = '"]\\" evil = "x @CODE@'
    site = parse_site(render_template(name=name).encode(), file=FILE)
    assert site.hospital.name == name


def test_live_mode_asks_for_the_platform() -> None:
    text = full_text().replace('mode = "observe"', 'mode = "live"')
    site = parse_site(text.encode(), file=FILE)
    assert site.missing() == (
        "platform.url",
        "platform.paasid",
        "platform.opter",
        "platform.opter_name",
        "platform.mac",
        "platform.ip",
    )
    with pytest.raises(ConfigError, match=r"platform\.url"):
        site.require("platform.url")


def test_the_secret_comes_from_the_environment() -> None:
    assert platform_secret({}) is None
    assert platform_secret({PLATFORM_SECRET: ""}) is None
    secret = platform_secret({PLATFORM_SECRET: "demo-secret"})
    assert secret is not None
    assert secret.reveal() == "demo-secret"
    assert "demo" not in repr(secret)


def test_lines_of_toml_keys() -> None:
    text = (
        'a = 1\n[b]\n"c d" = 2\ne.f = 3\n[[s]]\nx = 1\n[s.t]\ny = 2\n'
        "[[s]]\n[[s.u]]\nz = 1\n[[s.u]]\nz = 2 # [no]\n"
    )
    lines = toml_lines(text)
    assert lines.line_of(("a",)) == 1
    assert lines.line_of(("b", "c d")) == 3
    assert lines.line_of(("b", "e", "f")) == 4
    assert lines.line_of(("s", 0, "x")) == 6
    assert lines.line_of(("s", 0, "t", "y")) == 8
    assert lines.line_of(("s", 1, "u", 1, "z")) == 13
    assert lines.line_of(("s", 1, "u", 1, "missing")) == 12
    assert lines.line_of(("nowhere",)) is None


def test_a_server_is_named_without_its_password() -> None:
    site = parse_site(full_text().encode(), file=FILE)
    (spec,) = site.source_specs()
    assert spec.server is not None
    assert (spec.server.host, spec.server.port, spec.server.user) == (
        "127.0.0.1",
        0,
        "dipgate_reader",
    )
    assert str(spec.limits.fewest_share) == "0.3"
    assert site.source_password("his", {}) is None
    held = site.source_password("his", {"DIPGATE_HIS_PASSWORD": "word"})
    assert held is not None
    assert (held.reveal(), str(held)) == ("word", "***")
    error = broken('user = "dipgate_reader"', 'user = "dipgate_reader"\npassword = "word"')
    assert "sources.his.password" in str(error)
    assert "password_env" in str(error)
    assert 'word"' not in str(error)
    assert "server.password_env" in str(broken("DIPGATE_HIS_PASSWORD", "his password"))
